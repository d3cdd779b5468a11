package trace

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queueLen is how many spans may wait: at 1 % of 10,000 requests a second it
	// is filled in 20 s. A span takes about 1 KiB.
	queueLen = 4096
	batchLen = 512
	// batchWait is how old a span may become before its batch is sent.
	batchWait = time.Second
	// firstBackoff doubles with each try, up to lastBackoff. A batch that was not
	// taken within giveUp is dropped.
	firstBackoff = time.Second
	lastBackoff  = 20 * time.Second
	giveUp       = time.Minute
)

// answer is what became of one try to send a batch.
type answer struct {
	err      error
	again    bool          // it may be tried again
	after    time.Duration // not before; 0 leaves it to us
	rejected uint64        // spans of a batch that was taken, which the collector did not want
}

// exporter sends spans in batches, from one goroutine.
type exporter struct {
	send     func(ctx context.Context, request []byte) answer
	resource []Attribute
	logger   *slog.Logger
	queue    chan *Span
	exported atomic.Uint64
	dropped  [Losses]atomic.Uint64

	closed  atomic.Bool
	once    sync.Once
	closing chan struct{} // closed when the queue is to be emptied
	done    chan struct{} // closed when run has ended
	life    context.Context
	kill    context.CancelFunc
	failing bool // the last try failed; of run only
}

func newExporter(send func(context.Context, []byte) answer, resource []Attribute, logger *slog.Logger) *exporter {
	e := &exporter{
		send: send, resource: resource, logger: logger, queue: make(chan *Span, queueLen),
		closing: make(chan struct{}), done: make(chan struct{}),
	}
	e.life, e.kill = context.WithCancel(context.Background())
	return e
}

// take queues a span, or drops it when there is no room.
func (e *exporter) take(s *Span) {
	if !e.closed.Load() {
		select {
		case e.queue <- s:
			return
		default:
		}
	}
	e.dropped[QueueFull].Add(1)
}

// close sends what is queued and ends run, at the latest when ctx ends.
func (e *exporter) close(ctx context.Context) {
	e.once.Do(func() {
		e.closed.Store(true)
		close(e.closing)
	})
	select {
	case <-e.done:
	case <-ctx.Done():
		e.kill()
		<-e.done
	}
}

// run sends a batch when it is full, and every batchWait.
func (e *exporter) run() {
	defer close(e.done)
	defer e.kill()
	tick := time.NewTicker(batchWait)
	defer tick.Stop()
	batch := make([]*Span, 0, batchLen)
	for {
		var due bool
		select {
		case s := <-e.queue:
			batch = append(batch, s)
			due = len(batch) == batchLen
		case <-tick.C:
			due = len(batch) > 0
		case <-e.closing:
			e.finish(batch)
			return
		}
		if due {
			e.deliver(batch)
			clear(batch)
			batch = batch[:0]
		}
	}
}

// finish sends what is left.
func (e *exporter) finish(batch []*Span) {
	for {
		select {
		case s := <-e.queue:
			if batch = append(batch, s); len(batch) < batchLen {
				continue
			}
		default:
			if len(batch) > 0 {
				e.deliver(batch)
			}
			return
		}
		e.deliver(batch)
		batch = batch[:0]
	}
}

// deliver sends a batch, again and again while that may help.
func (e *exporter) deliver(batch []*Span) {
	request := appendRequest(nil, e.resource, batch)
	began, backoff := time.Now(), firstBackoff
	for {
		a := e.send(e.life, request)
		e.tell(a.err)
		if a.err == nil {
			lost := min(a.rejected, uint64(len(batch)))
			e.dropped[Refused].Add(lost)
			e.exported.Add(uint64(len(batch)) - lost)
			return
		}
		if !a.again {
			e.dropped[Refused].Add(uint64(len(batch)))
			return
		}
		pause := backoff*3/4 + rand.N(backoff/2) // so that gateways don't come back together
		if a.after > 0 {
			pause = a.after
		}
		backoff = min(2*backoff, lastBackoff)
		if time.Since(began)+pause > giveUp || !e.wait(pause) {
			e.dropped[Unreachable].Add(uint64(len(batch)))
			return
		}
	}
}

// wait reports whether another try may be made: a drain waits for no collector.
func (e *exporter) wait(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.closing:
		return false
	}
}

// tell logs when export begins to fail, and when it works again.
func (e *exporter) tell(err error) {
	switch failing := err != nil; {
	case failing == e.failing:
	case failing:
		e.failing = true
		e.logger.Warn("spans can't be exported; they are dropped while that lasts, and counted", "error", err)
	default:
		e.failing = false
		e.logger.Info("spans are exported again")
	}
}
