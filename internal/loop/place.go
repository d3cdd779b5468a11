package loop

import (
	"errors"
	"sync/atomic"
)

var (
	// ErrAgain means that nothing can be read now, or no more be written.
	ErrAgain = errors.New("cannot read or write without waiting")
	// ErrNotIdle means that Ask wrote nothing: something nobody asked for was
	// there to be read, or the end.
	ErrNotIdle = errors.New("cannot ask on a connection that has something to say already")
	// ErrFull means that a pipe has no room for what came.
	ErrFull = errors.New("cannot move more into a pipe than it holds")
)

// ready stands for the waiter of a place that has news for whoever waits next.
var ready = new(Task)

// resting stands for the waiter of a place for whose news there is a job.
var resting = new(Task)

// Place is a socket of a loop. One task at a time may use it; Wake, Ended, Remove
// and Forget are for everybody.
type Place struct {
	loop   *Loop
	fd     int
	number uint32 // tells it from an earlier one of the same descriptor
	waiter atomic.Pointer[Task]
	job    func(*Task) // for whoever deals with news, while it rests
	end    atomic.Bool // the other end will send no more
	gone   atomic.Bool // the descriptor may be another's

	foreign bool // somebody beside the loop waits for it: see Loop.Attend

	asks   bool   // Ask is used: tasks read it on the loop only
	news   bool   // something happened since all that was there was read; kept where asks is set
	queued int    // writes that wait for the end of the turn
	asking bool   // one of them is an ask
	left   []byte // what they could not write
	err    error  // why

	pace pace
}

// pace says whether the kernel lets what is sent wait for its turn.
type pace uint8

const (
	unknown pace = iota
	free
	paced
)

// Loop is the loop that the place belongs to; nil for a nil Place.
func (p *Place) Loop() *Loop {
	if p == nil {
		return nil
	}
	return p.loop
}

// Ended reports whether the other end is known to send nothing more. What it sent
// before may still be there to be read.
func (p *Place) Ended() bool { return p.end.Load() }

// Rest makes f run as a task of the loop when there is news of p, as for Task.Wait. So
// what waits for long takes no stack. Whoever calls it must not touch p afterwards. It
// reports false when there is news already.
func (p *Place) Rest(f func(*Task)) bool {
	p.job = f
	return p.park(resting)
}

// park makes t wait for news. It reports false when there is some already.
func (p *Place) park(t *Task) bool {
	if p.waiter.CompareAndSwap(nil, t) {
		return true
	}
	p.waiter.Store(nil)
	return false
}

// hand gives a task, for which there is news, to the loop.
func (p *Place) hand(t *Task) {
	p.waiter.Store(t)
	p.Wake()
}

// rouse makes a job of news, if the place rests.
func (p *Place) rouse() bool {
	if p.waiter.Load() != resting || !p.waiter.CompareAndSwap(resting, nil) {
		return false
	}
	c := &p.loop.crew
	c.jobs = append(c.jobs, p.job)
	return true
}

// tell carries the waiting task on, or leaves a note for the next. The loop calls
// it.
func (p *Place) tell() {
	for {
		switch t := p.waiter.Load(); {
		case t == ready, t == resting && p.rouse():
			return
		case t == nil:
			if p.waiter.CompareAndSwap(nil, ready) {
				return
			}
		case p.waiter.CompareAndSwap(t, nil):
			t.run(false)
			return
		}
	}
}

// Wake makes whoever waits for p go on, or whoever waits next.
func (p *Place) Wake() { p.loop.wake(p) }

// Remove forgets the place. Its socket stays open.
func (p *Place) Remove() {
	p.Forget()
	p.loop.unwatch(p)
}

// Forget forgets the place of a socket that is closed next.
func (p *Place) Forget() {
	p.gone.Store(true)
	p.loop.leave(p)
}

// Send writes b, which must not change meanwhile, at the end of the turn. It is
// for tasks on the loop. A write that fails, or takes only some of b, is news of p:
// see Failed.
func (p *Place) Send(b []byte) { p.loop.enqueue(sending{place: p, b: b}) }

// Ask is Send for a socket on which nothing may have come yet. If something has,
// nothing is written, and the failure is ErrNotIdle. That is found out right before
// it is written, with one question to the kernel for all that is asked in a turn.
func (p *Place) Ask(b []byte) {
	p.asks, p.asking = true, true
	p.loop.enqueue(sending{place: p, b: b, ask: true})
}

// Write writes a and b now, as far as the socket takes them, and returns how many
// bytes that was: ErrAgain when not all. It is for tasks on the loop.
func (p *Place) Write(a, b []byte) (int, error) {
	p.Flush()
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.putBoth(a, b)
	if err == nil && n < len(a)+len(b) {
		err = ErrAgain
	}
	return n, err
}

// Flush writes what waits for the end of the turn. It is for tasks on the loop.
func (p *Place) Flush() {
	if p.queued > 0 {
		p.loop.flush()
	}
}

// Failed reports whether Unsent has something to tell.
func (p *Place) Failed() bool { return p.err != nil }

// Unsent is what could not be written, and why: ErrAgain when the socket does not
// take more now. It forgets both.
func (p *Place) Unsent() ([]byte, error) {
	left, err := p.left, p.err
	p.left, p.err = nil, nil
	return left, err
}

// sending is a write that waits for the end of the turn.
type sending struct {
	place *Place
	b     []byte
	ask   bool
	doubt bool // it is an ask, and the place may have news
}

// write writes as much as the socket takes. Behind what did not go out nothing
// does.
func (s *sending) write() {
	p := s.place
	p.queued--
	if p.gone.Load() {
		return
	}
	b := s.b
	if s.doubt && p.err == nil && !p.idle() {
		p.fail(ErrNotIdle)
	}
	for p.err == nil && len(b) > 0 {
		n, err := p.put(b)
		if b = b[n:]; err != nil {
			p.fail(err)
		}
	}
	if p.err != nil {
		p.left = append(p.left, b...)
	}
}

func (p *Place) fail(err error) {
	p.err = err
	p.Wake()
}
