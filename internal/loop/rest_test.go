//go:build linux

package loop

import (
	"runtime"
	"testing"
	"time"
)

// parrot repeats every line, and is idle in between.
type parrot struct {
	place *Place
	ended chan struct{}
}

func (p *parrot) run(task *Task) {
	for {
		text, err := line(task, p.place)
		if err != nil {
			p.place.Remove()
			close(p.ended)
			return
		}
		p.place.Send([]byte(text))
		if task.Idle(p.place, p.run) {
			return
		}
	}
}

// Of many that are idle only a few are tasks, and all are carried on, again and again.
func TestOfManyThatAreIdleFewAreTasks(t *testing.T) {
	const n = 4 * maxIdle
	l := newLoop(t)
	pairs := make([]pair, n)
	parrots := make([]*parrot, n)
	before := runtime.NumGoroutine()
	for i := range pairs {
		pairs[i] = newPair(t)
		place, err := l.Add(pairs[i].ours)
		if err != nil {
			t.Fatal(err)
		}
		parrots[i] = &parrot{place: place, ended: make(chan struct{})}
		if !place.Rest(parrots[i].run) {
			t.Fatal("there is news of what nobody has said anything to")
		}
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines for what rests from the start", now-before)
	}
	for range 3 {
		for i := range pairs {
			pairs[i].say(t, "hello\n")
		}
		for i := range pairs {
			pairs[i].hear(t, "hello\n")
		}
	}
	if now, most := runtime.NumGoroutine(), before+maxIdle+maxSpare; now > most {
		t.Errorf("%d goroutines for %d that are idle, want at most %d", now-before, n, maxIdle+maxSpare)
	}
	for i := range pairs {
		_ = pairs[i].theirs.Close()
		await(t, parrots[i].ended)
	}
}

func TestWhatHasNewsAlreadyDoesNotRest(t *testing.T) {
	p := newPair(t)
	l := newLoop(t)
	place, err := l.Add(p.ours)
	if err != nil {
		t.Fatal(err)
	}
	p.say(t, "early\n")
	ran := make(chan struct{})
	deadline := time.Now().Add(5 * time.Second)
	for place.waiter.Load() != ready && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if place.Rest(func(*Task) { close(ran) }) {
		t.Error("it rests, though there was news")
	}
	if !place.Rest(func(*Task) { close(ran) }) {
		t.Fatal("the news is told twice")
	}
	p.say(t, "more\n")
	await(t, ran)
	place.Remove()
}

func TestWakeRousesWhatRests(t *testing.T) {
	p := newPair(t)
	l := newLoop(t)
	place, err := l.Add(p.ours)
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan struct{})
	place.Rest(func(task *Task) {
		if !task.OnLoop() {
			t.Error("a job is done on its loop")
		}
		task.Leave()
		close(ran)
	})
	place.Wake()
	await(t, ran)
	place.Remove()
}
