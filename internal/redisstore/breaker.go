package redisstore

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// A server is not asked any more after so many failures in a row. One alone may
	// be a packet that was lost.
	failuresToOpen = 3
	probeInterval  = 100 * time.Millisecond
	// breakerCount is into how many ranges of slots a Cluster is cut: the failure of
	// one master is no reason not to ask the others.
	breakerCount = 16
	slotCount    = 16384
)

// mostDebts bounds what a part of the server is owed; about 1 KiB each.
const mostDebts = 4096

// breaker keeps requests from waiting for a server, or a master of a Cluster,
// that does not answer.
type breaker struct {
	failures atomic.Int32 // in a row
	open     atomic.Bool

	mu     sync.Mutex
	debts  []debt // what it has still to be told, oldest first
	nursed bool   // somebody tries, until it answers and nothing is owed
}

// debt is a call that has to be made, now or later.
type debt struct {
	script *rueidis.Lua
	keys   []string
	args   func() []string
}

func (b *breaker) succeed() {
	if b.failures.Load() != 0 {
		b.failures.Store(0)
	}
}

// fail counts a failed call; enough of them open the breaker.
func (s *Store) fail(b *breaker, key string, cause error) {
	if b.failures.Add(1) >= failuresToOpen && b.open.CompareAndSwap(false, true) {
		s.degrade(cause)
		s.nurse(b, key, nil)
	}
}

// must makes a call, or owes it.
func (s *Store) must(op Op, d debt) (answer []int64, err error) {
	answer, err = s.call(op, d.script, d.keys, d.args())
	if err != nil {
		b := &s.breakers[0]
		if c := s.client.Load(); c != nil {
			b = &s.breakers[c.part(d.keys[0])]
		}
		s.nurse(b, d.keys[0], &d)
	}
	return answer, err
}

// nurse sees to it that somebody tries, and that a debt, if there is one, is paid.
// When too many are owed the oldest is forgotten: it leaves its window first.
func (s *Store) nurse(b *breaker, key string, d *debt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d != nil {
		if len(b.debts) == mostDebts {
			b.debts = append(b.debts[:0], b.debts[1:]...)
		}
		b.debts = append(b.debts, *d)
	}
	if !b.nursed && s.stopped.Err() == nil {
		b.nursed = true
		s.working.Go(func() { s.heal(b, key) })
	}
}

// heal tries a key of the part that did not answer, until there is an answer and
// all that is owed is paid.
func (s *Store) heal(b *breaker, key string) {
	for s.wait(probeInterval) {
		c := s.client.Load()
		if c == nil || !s.answers(c, key) || !s.pay(c, b) {
			continue
		}
		b.failures.Store(0)
		if b.open.CompareAndSwap(true, false) {
			s.recover()
		}
		b.mu.Lock()
		b.nursed = len(b.debts) > 0
		done := !b.nursed
		b.mu.Unlock()
		if done {
			return
		}
	}
}

// pay makes the calls that are owed. It reports whether none is left. A call that
// the server answers with an error is none that it would take later.
func (s *Store) pay(c *client, b *breaker) bool {
	b.mu.Lock()
	debts := b.debts
	b.debts = nil
	b.mu.Unlock()
	for i, d := range debts {
		_, err := s.run(context.Background(), c, d.script, d.keys, d.args())
		if _, answered := rueidis.IsRedisErr(errors.Unwrap(err)); err != nil && !answered {
			b.mu.Lock()
			b.debts = append(debts[i:], b.debts...)
			b.mu.Unlock()
			return false
		}
	}
	return true
}

func (s *Store) answers(c *client, key string) bool {
	ctx, cancel := context.WithTimeout(s.stopped, s.cfg.Timeout)
	defer cancel()
	// A server that may only be read is of no use either: it has to take a write.
	_, err := probeScript.Exec(ctx, c, []string{key}, nil).AsInt64()
	return err == nil
}

// wait reports whether the store is still open after a while.
func (s *Store) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.stopped.Done():
		return false
	}
}

// part is the breaker for a key: one for all keys, unless they are spread over
// the masters of a Cluster.
func (c *client) part(key string) int {
	if !c.isCluster {
		return 0
	}
	return slotOf(key) / (slotCount / breakerCount)
}

// slotOf is the slot of a Cluster that a key is in: the CRC16 (XMODEM) of its tag.
func slotOf(key string) int {
	if _, tag, ok := strings.Cut(key, "{"); ok {
		key, _, _ = strings.Cut(tag, "}")
	}
	var crc uint16
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc % slotCount)
}
