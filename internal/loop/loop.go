// Package loop runs what waits for sockets on few goroutines. A loop asks the
// kernel once for all its sockets that became readable, carries on who waits for
// them one after the other, and writes what they sent meanwhile at the end of the
// turn, all at once: the other ends are woken once and not with every answer.
//
// A task is an ordinary function. It runs on its loop as long as it waits for
// nothing but a Place; before anything else that may take time it calls Leave,
// and goes on beside the loop, on a goroutine, until it waits for a Place again.
// So the common case costs a quarter of a goroutine's waking (86 ns against
// 330 ns), and the uncommon one is written like any other Go.
//
// It must not know what the sockets carry.
package loop

import "iter"

// Task is one thread of control. Its methods are for the function that Start was
// given. Those of a nil Task do nothing: its owner has a goroutine of its own.
type Task struct {
	loop  *Loop
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	away  bool // runs on a goroutine, not on the loop
	wants want
	on    *Place
}

// want is why a task gave up control.
type want uint8

const (
	ended want = iota
	news       // of on
	leave
)

// Start runs f as a task of the loop. It begins beside the loop, at once. A panic
// in it ends the process.
func (l *Loop) Start(f func(*Task)) {
	t := &Task{loop: l}
	t.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		f(t)
		t.wants = ended
	})
	go t.run(true)
}

// run carries the task on until it waits or ends: on the loop, or away from it.
func (t *Task) run(away bool) {
	for {
		t.away = away
		t.next()
		switch t.wants {
		case ended:
			return
		case news:
			if t.on.park(t) {
				return
			}
			if away {
				t.on.hand(t)
				return
			}
		case leave:
			go t.run(true)
			return
		}
	}
}

// OnLoop reports whether the task runs on its loop, where it must wait for
// nothing but a Place.
func (t *Task) OnLoop() bool { return t != nil && !t.away }

// Loop is the loop that the task belongs to.
func (t *Task) Loop() *Loop {
	if t == nil {
		return nil
	}
	return t.loop
}

// Leave makes the task run beside its loop, where it may wait for anything. What
// was sent before goes out first.
func (t *Task) Leave() {
	if !t.OnLoop() {
		return
	}
	t.loop.flush()
	t.wants = leave
	t.yield(struct{}{})
}

// Wait waits until there is news of p: something to read, the end, a write that
// failed, or a Wake. There may be none of them after all. The task is on its loop
// then.
func (t *Task) Wait(p *Place) {
	if !t.away && p.waiter.CompareAndSwap(ready, nil) {
		return
	}
	t.wants, t.on = news, p
	t.yield(struct{}{})
}
