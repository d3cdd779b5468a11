package exact

import (
	"math"
	"sync"
	"time"
)

// naive is a limiter whose flaws are known. Without any it is exact.
type naive struct {
	limit  Limit
	delay  time.Duration // from sending to the decision, and from it to the answer
	decide func(n *naive, c *counter, now time.Time) bool

	mu       sync.Mutex
	counters map[string]*counter
}

type counter struct {
	times          []time.Time // admitted
	begun          time.Time   // fixed window
	count, before  int
	tokens         float64
	filled         time.Time
	lastAnyRequest []time.Time
}

func (n *naive) send(key string) (bool, error) {
	time.Sleep(n.delay)
	n.mu.Lock()
	c := n.counters[key]
	if c == nil {
		c = &counter{tokens: float64(n.limit.Requests)}
		n.counters[key] = c
	}
	pass := n.decide(n, c, time.Now())
	n.mu.Unlock()
	time.Sleep(n.delay)
	return !pass, nil
}

func live(times []time.Time, now time.Time, window time.Duration) int {
	n := 0
	for _, t := range times {
		if now.Sub(t) < window {
			n++
		}
	}
	return n
}

func exactly(n *naive, c *counter, now time.Time) bool { return admit(n, c, now, n.limit.Requests) }

func admit(n *naive, c *counter, now time.Time, limit int) bool {
	if live(c.times, now, n.limit.Window) >= limit {
		return false
	}
	c.times = append(c.times, now)
	return true
}

func oneTooMany(n *naive, c *counter, now time.Time) bool {
	return admit(n, c, now, n.limit.Requests+1)
}

func oneTooFew(n *naive, c *counter, now time.Time) bool {
	return admit(n, c, now, n.limit.Requests-1)
}

// windowTooLong forgets a tenth of the window too late.
func windowTooLong(n *naive, c *counter, now time.Time) bool {
	if live(c.times, now, n.limit.Window*11/10) >= n.limit.Requests {
		return false
	}
	c.times = append(c.times, now)
	return true
}

func fixed(n *naive, c *counter) bool {
	c.count++
	return c.count <= n.limit.Requests
}

// fixedFromFirst counts in windows that begin with a key's first request.
func fixedFromFirst(n *naive, c *counter, now time.Time) bool {
	if now.Sub(c.begun) >= n.limit.Window {
		c.begun, c.count = now, 0
	}
	return fixed(n, c)
}

// fixedByClock counts in windows of the clock.
func fixedByClock(n *naive, c *counter, now time.Time) bool {
	if begun := now.Truncate(n.limit.Window); begun != c.begun {
		c.begun, c.count = begun, 0
	}
	return fixed(n, c)
}

// estimating weighs the clock's previous window by how much of it is left.
func estimating(n *naive, c *counter, now time.Time) bool {
	if begun := now.Truncate(n.limit.Window); begun != c.begun {
		c.before = 0
		if begun.Sub(c.begun) == n.limit.Window {
			c.before = c.count
		}
		c.begun, c.count = begun, 0
	}
	left := 1 - float64(now.Sub(c.begun))/float64(n.limit.Window)
	if int(math.Floor(float64(c.before)*left))+c.count >= n.limit.Requests {
		return false
	}
	c.count++
	return true
}

// tokenBucket refills while it is emptied.
func tokenBucket(n *naive, c *counter, now time.Time) bool {
	if !c.filled.IsZero() {
		c.tokens += float64(n.limit.Requests) * float64(now.Sub(c.filled)) / float64(n.limit.Window)
		c.tokens = min(c.tokens, float64(n.limit.Requests))
	}
	c.filled = now
	if c.tokens < 1 {
		return false
	}
	c.tokens--
	return true
}

// pacing lets requests pass only at even distances.
func pacing(n *naive, c *counter, now time.Time) bool {
	if now.Sub(c.begun) < n.limit.Window/time.Duration(n.limit.Requests) {
		return false
	}
	c.begun = now
	return true
}

// racing looks, lets others look, and counts.
func racing(n *naive, c *counter, now time.Time) bool {
	if live(c.times, now, n.limit.Window) >= n.limit.Requests {
		return false
	}
	n.mu.Unlock()
	time.Sleep(time.Millisecond)
	n.mu.Lock()
	c.times = append(c.times, now)
	return true
}

// charging counts what it refuses.
func charging(n *naive, c *counter, now time.Time) bool {
	full := live(c.lastAnyRequest, now, n.limit.Window) >= n.limit.Requests
	c.lastAnyRequest = append(c.lastAnyRequest, now)
	return !full
}
