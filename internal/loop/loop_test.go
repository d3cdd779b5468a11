//go:build linux

package loop

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is a connected pair of sockets: one end for tasks, the other for the test.
type pair struct {
	ours   int
	theirs *os.File
}

func newPair(t *testing.T) pair {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := pair{fds[0], os.NewFile(uintptr(fds[1]), "theirs")}
	t.Cleanup(func() {
		_ = p.theirs.Close()
		_ = syscall.Close(p.ours)
	})
	return p
}

func (p pair) say(t *testing.T, text string) {
	t.Helper()
	if _, err := p.theirs.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func (p pair) hear(t *testing.T, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_ = p.theirs.SetReadDeadline(time.Now().Add(5 * time.Second))
	for n := 0; n < len(got); {
		m, err := p.theirs.Read(got[n:])
		if err != nil {
			t.Fatalf("got %q and %v, want %q", got[:n], err, want)
		}
		n += m
	}
	if string(got) != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func newLoop(t *testing.T) *Loop {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// do runs f as a task with a place of p, and returns what says that it has ended.
func do(t *testing.T, l *Loop, p pair, f func(*Task, *Place)) (ended chan struct{}) {
	t.Helper()
	ended = make(chan struct{})
	l.Start(func(task *Task) {
		defer close(ended)
		place, err := l.Add(p.ours)
		if err != nil {
			t.Error(err)
			return
		}
		defer place.Remove()
		f(task, place)
	})
	return ended
}

func await(t *testing.T, ended chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("the task did not end")
	}
}

// line reads up to a line feed.
func line(task *Task, p *Place) (string, error) {
	var text []byte
	for {
		b := make([]byte, 7)
		switch n, err := p.Read(b); {
		case errors.Is(err, ErrAgain):
			task.Wait(p)
		case err != nil:
			return string(text), err
		case n == 0:
			return string(text), os.ErrClosed
		default:
			if text = append(text, b[:n]...); bytes.HasSuffix(text, []byte("\n")) {
				return string(text), nil
			}
		}
	}
}

func TestATaskAnswersWhatComes(t *testing.T) {
	p := newPair(t)
	ended := do(t, newLoop(t), p, func(task *Task, place *Place) {
		task.Wait(place)
		for {
			text, err := line(task, place)
			if err != nil {
				return
			}
			place.Send([]byte("you said " + text))
		}
	})
	p.say(t, "hel")
	p.say(t, "lo\n")
	p.say(t, "\n")
	p.hear(t, "you said hello\n")
	_ = p.theirs.Close()
	await(t, ended)
}

func TestNewsThatComesBeforeTheWaitIsNotLost(t *testing.T) {
	l := newLoop(t)
	for range 200 {
		p := newPair(t)
		p.say(t, "early\n")
		await(t, do(t, l, p, func(task *Task, place *Place) {
			task.Wait(place)
			if text, err := line(task, place); text != "early\n" {
				t.Errorf("got %q and %v", text, err)
			}
		}))
	}
}

func TestATaskMayWaitForAnythingBesideTheLoop(t *testing.T) {
	l := newLoop(t)
	slow, quick := newPair(t), newPair(t)
	release := make(chan struct{})
	slowly := do(t, l, slow, func(task *Task, place *Place) {
		task.Wait(place)
		if !task.OnLoop() {
			t.Error("a task that was carried on by its loop is on it")
		}
		place.Send([]byte("wait"))
		task.Leave()
		if task.OnLoop() {
			t.Error("a task that left is not on its loop")
		}
		task.Leave()
		<-release
		task.Wait(place)
		_, _ = line(task, place)
		place.Send([]byte("done"))
		place.Flush()
	})
	quickly := do(t, l, quick, func(task *Task, place *Place) {
		_, _ = line(task, place)
		close(release)
	})
	slow.say(t, "a\n")
	slow.hear(t, "wait") // leaving does not hold back what was sent
	quick.say(t, "b\n")
	await(t, quickly)
	slow.say(t, "c\n")
	slow.hear(t, "done")
	await(t, slowly)
}

func TestWakeEndsAWait(t *testing.T) {
	p := newPair(t)
	l := newLoop(t)
	places := make(chan *Place, 1)
	var woken atomic.Bool
	ended := do(t, l, p, func(task *Task, place *Place) {
		places <- place
		for !woken.Load() {
			task.Wait(place)
		}
	})
	place := <-places
	woken.Store(true)
	place.Wake()
	await(t, ended)
	place.Wake() // whoever comes too late does no harm
}

func TestTheEndOfTheOtherEndIsKnown(t *testing.T) {
	p := newPair(t)
	ended := do(t, newLoop(t), p, func(task *Task, place *Place) {
		for !place.Ended() {
			task.Wait(place)
		}
	})
	_ = p.theirs.Close()
	await(t, ended)
}

func TestAWriteThatDoesNotGoOutIsNews(t *testing.T) {
	p := newPair(t)
	large := bytes.Repeat([]byte("0123456789"), 1<<18)
	ended := do(t, newLoop(t), p, func(task *Task, place *Place) {
		task.Wait(place)
		place.Send(large)
		place.Send([]byte("the end"))
		for !place.Failed() {
			task.Wait(place)
		}
		left, err := place.Unsent()
		if !errors.Is(err, ErrAgain) || len(left) == 0 || len(left) > len(large) || !bytes.HasSuffix(left, []byte("9the end")) {
			t.Errorf("%d bytes left, %v", len(left), err)
		}
		task.Leave()
		for len(left) > 0 {
			n, err := syscall.Write(p.ours, left)
			if err != nil {
				time.Sleep(time.Millisecond)
				continue
			}
			left = left[n:]
		}
	})
	p.say(t, "go\n")
	time.Sleep(10 * time.Millisecond)
	p.hear(t, string(large)+"the end")
	await(t, ended)
}

func TestAnAskBehindForeignBytesWritesNothing(t *testing.T) {
	asked := func(task *Task, place *Place) {
		place.Ask([]byte("question"))
		for !place.Failed() {
			task.Wait(place)
		}
		if left, err := place.Unsent(); string(left) != "question" || !errors.Is(err, ErrNotIdle) {
			t.Errorf("left %q, %v", left, err)
		}
	}
	f := func(spoil func(p pair)) {
		t.Helper()
		inOneTurn, before := newPair(t), newPair(t)
		ended := do(t, newLoop(t), inOneTurn, func(task *Task, place *Place) {
			task.Wait(place)
			_, _ = line(task, place)
			spoil(inOneTurn)
			asked(task, place)
		})
		inOneTurn.say(t, "go\n")
		await(t, ended)
		ready, spoilt := make(chan bool), make(chan bool)
		ended = do(t, newLoop(t), before, func(task *Task, place *Place) {
			_, _ = line(task, place)
			task.Leave()
			ready <- true
			<-spoilt
			place.Wake()
			task.Wait(place)
			asked(task, place)
		})
		before.say(t, "go\n")
		<-ready
		spoil(before)
		spoilt <- true
		await(t, ended)
	}
	f(func(p pair) { p.say(t, "answer to nothing\n") })
	f(func(p pair) { _ = p.theirs.Close() })
}

// What comes before the question is written is no answer to it, also where the loop
// learns of it together with what makes the task ask.
func TestWhatComesBeforeTheQuestionIsNoAnswer(t *testing.T) {
	l := newLoop(t)
	client, server, blocker := newPair(t), newPair(t), newPair(t)
	ready, blocked, release := make(chan bool), make(chan bool), make(chan bool)
	blocking := do(t, l, blocker, func(task *Task, place *Place) {
		task.Wait(place)
		blocked <- true
		<-release
	})
	ended := do(t, l, client, func(task *Task, place *Place) {
		seat, err := l.Add(server.ours)
		if err != nil {
			t.Error(err)
			return
		}
		defer seat.Remove()
		ready <- true
		task.Wait(place)
		seat.Ask([]byte("question"))
		task.Wait(seat)
		if n, err := seat.Read(make([]byte, 10)); n != 0 || !errors.Is(err, ErrNotIdle) {
			t.Errorf("%d bytes are an answer, %v", n, err)
		}
	})
	<-ready
	blocker.say(t, "go\n")
	<-blocked
	client.say(t, "go\n")
	server.say(t, "too early\n")
	close(release)
	await(t, blocking)
	await(t, ended)
}

func TestWriteTellsHowMuchWentOut(t *testing.T) {
	p := newPair(t)
	head, body := []byte("head "), bytes.Repeat([]byte("0123456789"), 1<<18)
	ended := do(t, newLoop(t), p, func(task *Task, place *Place) {
		task.Wait(place)
		if n, err := place.Write(head, []byte("body")); n != 9 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		if n, err := place.Write(body, nil); n >= len(body) || !errors.Is(err, ErrAgain) {
			t.Errorf("%d bytes, %v", n, err)
		}
		if n, err := place.Write(head, body); n != 0 || !errors.Is(err, ErrAgain) {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	p.say(t, "go\n")
	p.hear(t, "head body")
	await(t, ended)
}

// A descriptor is used again at once: what happened to the socket that had it
// before must not be taken for news of the new one, and the other way round.
func TestDescriptorsAreUsedAgain(t *testing.T) {
	l := newLoop(t)
	for i := range 300 {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		theirs := os.NewFile(uintptr(fds[1]), "theirs")
		text := fmt.Sprintf("%d\n", i)
		ended := make(chan struct{})
		l.Start(func(task *Task) {
			defer close(ended)
			place, _ := l.Add(fds[0])
			task.Wait(place)
			if got, err := line(task, place); got != text {
				t.Errorf("got %q and %v, want %q", got, err, text)
			}
			place.Forget()
			_ = syscall.Close(fds[0])
		})
		_, _ = theirs.WriteString(text)
		_ = theirs.Close()
		await(t, ended)
	}
}

// Many tasks on several loops, each with a pair of its own, leaving and coming
// back at random: every line is answered once, in its order.
func TestManyTasks(t *testing.T) {
	loops := []*Loop{newLoop(t), newLoop(t)}
	var all sync.WaitGroup
	for i := range 100 {
		p := newPair(t)
		random := rand.New(rand.NewPCG(1, uint64(i)))
		ended := do(t, loops[i%2], p, func(task *Task, place *Place) {
			for {
				text, err := line(task, place)
				if err != nil {
					return
				}
				if random.IntN(4) == 0 {
					task.Leave()
				}
				if task.OnLoop() {
					place.Send([]byte(text))
				} else if _, err := syscall.Write(p.ours, []byte(text)); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for n := range 200 {
				text := fmt.Sprintf("%d of %d\n", n, i)
				p.say(t, text)
				p.hear(t, text)
			}
			_ = p.theirs.Close()
			await(t, ended)
		})
	}
	all.Wait()
}
