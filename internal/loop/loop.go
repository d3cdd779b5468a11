// Package loop runs what waits for sockets on few goroutines. A loop asks the
// kernel once for all its sockets that became readable, carries on who waits for
// them one after the other, and writes what they sent meanwhile at the end of the
// turn, all at once: the other ends are woken once and not with every answer.
//
// A task is an ordinary function. It runs on its loop as long as it waits for
// nothing but a Place; before anything else that may take time it calls Leave,
// and goes on beside the loop, on a goroutine, until it waits for a Place again.
// So the common case costs a quarter of a goroutine's waking (86 ns against
// 330 ns), and the uncommon one is written like any other Go. What waits for long, as
// idle connections do, is no task at all meanwhile, but for a few: see Task.Idle.
//
// It must not know what the sockets carry.
package loop

import (
	"iter"
	"sync/atomic"
)

// beside is how many tasks, of all loops, run on goroutines of their own.
var beside atomic.Int64

// Task is one thread of control. Its methods are for the function that Start or
// Place.Rest was given. Those of a nil Task do nothing: its owner has a goroutine of its own.
type Task struct {
	loop  *Loop
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	job   func(*Task)
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
	another // job
)

// crew is who does what a loop has to do. Only the loop and the task that runs on it
// touch it.
type crew struct {
	jobs  []func(*Task) // of places that rested
	taken int           // of the jobs
	spare []*Task       // that have none
	idle  int           // tasks that wait in Idle
}

const (
	maxSpare = 64 // tasks without a job that are kept
	maxIdle  = 64 // tasks that may keep their stacks while they are idle
)

// Start runs f as a task of the loop. It begins beside the loop, at once. A panic
// in it ends the process.
func (l *Loop) Start(f func(*Task)) {
	beside.Add(1)
	go l.task(f).run(true)
}

// task makes a task that does one job after the other.
func (l *Loop) task(job func(*Task)) *Task {
	t := &Task{loop: l, job: job}
	t.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		for t.job != nil {
			job := t.job
			t.job = nil
			job(t)
			t.turn()
		}
		t.wants = ended
	})
	return t
}

// turn finds the task another job, or ends it: at once, where there is one, which
// spares the way to the loop and back.
func (t *Task) turn() {
	if t.away {
		return
	}
	c := &t.loop.crew
	if t.job = c.next(); t.job == nil && len(c.spare) < maxSpare {
		c.spare = append(c.spare, t)
		t.wants = another
		t.yield(struct{}{})
	}
}

// next takes the job that has waited longest; nil when there is none.
func (c *crew) next() func(*Task) {
	if c.taken == len(c.jobs) {
		return nil
	}
	job := c.jobs[c.taken]
	c.jobs[c.taken] = nil
	if c.taken++; c.taken == len(c.jobs) {
		c.jobs, c.taken = c.jobs[:0], 0
	}
	return job
}

// work does the jobs that are left when all who waited were carried on.
func (l *Loop) work() {
	for job := l.crew.next(); job != nil; job = l.crew.next() {
		last := len(l.crew.spare) - 1
		if last < 0 {
			l.task(job).run(false)
			continue
		}
		t := l.crew.spare[last]
		l.crew.spare = l.crew.spare[:last]
		t.job = job
		t.run(false)
	}
}

// dismiss ends the tasks that have no job.
func (c *crew) dismiss() {
	for _, t := range c.spare {
		t.next()
	}
	c.spare = nil
}

// run carries the task on until it waits or ends: on the loop, or away from it.
func (t *Task) run(away bool) {
	if away {
		defer beside.Add(-1)
	}
	for {
		t.away = away
		t.next()
		switch t.wants {
		case ended, another:
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
			beside.Add(1)
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

// Idle waits for news of p, which may take long. A few tasks do so as in Wait, which is
// quickest, and Idle returns false. Of all others the places rest: it returns true, and
// f is run when there is news; see Place.Rest.
func (t *Task) Idle(p *Place, f func(*Task)) (rests bool) {
	c := &t.loop.crew
	switch {
	case t.away:
		t.Wait(p)
	case c.idle < maxIdle:
		c.idle++
		t.Wait(p)
		c.idle--
	default:
		return p.Rest(f)
	}
	return false
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
