package sandbox

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1" // the documented signature
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	deliveryTimeout = 20 * time.Second // what the documentation gives a receiver
	deliveryLife    = 24 * time.Hour   // how long a delivery is retried
	longestPause    = 10 * time.Minute // between two tries
	mostPending     = 10_000           // deliveries; what comes on top is lost
	shuffleWindow   = 50 * time.Millisecond
	maxReply        = 1 << 20 // bytes of a receiver's answer that are read
)

// hooks delivers events. Each service has a lane that delivers in order; a
// delivery that failed comes back later and is overtaken.
type hooks struct {
	s      *Sandbox
	client *http.Client

	mu       sync.Mutex
	era      *era // replaced on reset
	switches switches
	closed   bool
	workers  sync.WaitGroup

	pending, delivered, retried, failed int
}

// era is what a reset does away with as a whole.
type era struct {
	ctx    context.Context
	cancel context.CancelFunc
	lanes  map[string]*lane
}

type lane struct {
	queue   []delivery
	running bool
}

type delivery struct {
	service      string
	conversation string
	body         []byte
	born         time.Time
	due          time.Time
	pause        time.Duration // before the next retry
}

// switches are the misbehaviours of the deliveries.
type switches struct {
	delay   time.Duration
	twice   bool
	shuffle bool
}

func newHooks(s *Sandbox) *hooks {
	return &hooks{s: s, era: newEra(), client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func newEra() *era {
	ctx, cancel := context.WithCancel(context.Background())
	return &era{ctx, cancel, map[string]*lane{}}
}

func (h *hooks) close() {
	h.mu.Lock()
	h.closed = true
	h.era.cancel()
	h.mu.Unlock()
	h.workers.Wait()
	h.client.CloseIdleConnections()
}

func (h *hooks) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.era.cancel()
	h.era = newEra()
	h.switches = switches{}
	h.pending, h.delivered, h.retried, h.failed = 0, 0, 0, 0
}

// enqueue never waits: it is called while the store is locked.
func (h *hooks) enqueue(service, conversation string, body []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	d := delivery{service, conversation, body, now, now.Add(h.switches.delay), h.s.opts.WebhookRetry}
	h.push(h.era, d)
	if h.switches.twice {
		h.push(h.era, d)
	}
}

// push puts a delivery into its lane. The caller holds h.mu.
func (h *hooks) push(e *era, d delivery) {
	if h.closed || e != h.era {
		return
	}
	if h.pending >= mostPending {
		h.failed++
		return
	}
	l := e.lanes[d.service]
	if l == nil {
		l = &lane{}
		e.lanes[d.service] = l
	}
	h.pending++
	l.queue = append(l.queue, d)
	if !l.running {
		l.running = true
		h.workers.Go(func() { h.drain(e, l) })
	}
}

// drain delivers until the lane is empty.
func (h *hooks) drain(e *era, l *lane) {
	for {
		batch := h.next(e, l)
		if len(batch) == 0 {
			return
		}
		for _, d := range batch {
			if !pause(e.ctx, time.Until(d.due)) {
				return
			}
			h.deliver(e, d)
		}
	}
}

// next takes the oldest delivery, or with the switch "shuffle" all of a
// moment in reverse order.
func (h *hooks) next(e *era, l *lane) []delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(1, len(l.queue))
	if h.switches.shuffle && n > 0 {
		window := max(shuffleWindow, time.Until(l.queue[0].due))
		h.mu.Unlock()
		alive := pause(e.ctx, window)
		h.mu.Lock()
		if !alive {
			return nil
		}
		n = len(l.queue)
		slices.Reverse(l.queue)
	}
	l.running = n > 0
	batch := slices.Clone(l.queue[:n])
	l.queue = l.queue[n:]
	return batch
}

// deliver tries once and arranges for the next try.
func (h *hooks) deliver(e *era, d delivery) {
	target, secret, found := h.s.hookTarget(d.service)
	status := 0
	var reply []byte
	if found {
		status, reply = h.send(e.ctx, target, secret, d.body)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if e != h.era {
		return
	}
	h.pending--
	switch {
	case !found: // deleted or switched off meanwhile
	case status/100 == 2:
		h.delivered++
		h.workers.Go(func() { h.s.hookReplied(d.conversation, reply) })
	case recoverable(status) && time.Since(d.born)+d.pause < deliveryLife:
		h.retried++
		h.later(e, d)
	default:
		h.failed++
		h.s.opts.Logger.Warn("sandbox: gave up a webhook delivery", "url", target, "status", status)
	}
}

// later brings a failed delivery back after its pause. The caller holds h.mu.
func (h *hooks) later(e *era, d delivery) {
	if h.closed {
		return
	}
	wait := d.pause
	d.due = time.Now().Add(wait)
	d.pause = min(2*wait, longestPause)
	h.pending++
	h.workers.Go(func() {
		alive := pause(e.ctx, wait)
		h.mu.Lock()
		defer h.mu.Unlock()
		if e == h.era {
			h.pending--
		}
		if alive {
			h.push(e, d)
		}
	})
}

// recoverable says whether trying again may help: no answer (0), 408, 425,
// 429 and the server's own faults.
func recoverable(status int) bool {
	switch status {
	case 0, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// send posts a payload; the status is 0 when there was no answer.
func (h *hooks) send(ctx context.Context, target, secret string, body []byte) (status int, reply []byte) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "chatshipper-sandbox")
	r.Header.Set("X-Hub-Signature", signature(secret, body))
	res, err := h.client.Do(r)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	reply, err = io.ReadAll(io.LimitReader(res.Body, maxReply))
	if err != nil {
		return 0, nil
	}
	return res.StatusCode, reply
}

// signature is the value of X-Hub-Signature.
func signature(secret string, body []byte) string {
	mac := hmac.New(sha1.New, []byte(secret))
	_, _ = mac.Write(body) // never fails
	return "sha1=" + hex.EncodeToString(mac.Sum(nil))
}
