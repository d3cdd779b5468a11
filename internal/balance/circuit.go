package balance

import (
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Change is what a result did to a circuit.
type Change uint8

const (
	// Unchanged means: nothing to tell.
	Unchanged Change = iota
	// Opened means: the member is passed over from now on.
	Opened
	// Reopened means: the trial failed.
	Reopened
	// Reclosed means: the trial succeeded, and the member is back.
	Reclosed
)

var (
	errFailed  = errors.New("failed")
	errNeutral = errors.New("neither")
)

// newBreaker makes the breaker that counts failures, opens, and lets one trial
// through. Asking it for each request costs 174 ns and an allocation
// (BenchmarkBreakerForEachRequest), so it is asked only after a failure and until
// the next success. Its time until the trial is fixed: the doubling is ours, we
// don't ask it earlier.
func newBreaker(cfg Config) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     cfg.Open,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(cfg.Failures) },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNeutral) },
	})
}

func verdict(r Result) error {
	switch r {
	case Good:
		return nil
	case Neutral:
		return errNeutral
	default:
		return errFailed
	}
}

// Report tells what became of a request: of a trial when its Choice said so. A
// good result of a member that is calm costs one atomic load.
func (m *Member) Report(now int64, r Result, trial bool) Change {
	switch {
	case trial:
		return m.endTrial(now, r)
	case r == Neutral, r == Good && m.standing.Load() == calm, m.standing.Load() >= broken, m.breaker == nil:
		return Unchanged
	}
	return m.count(now, r)
}

// count hands a result to a circuit that is closed. What was sent before it
// opened, or because nobody else was left, says nothing new.
func (m *Member) count(now int64, r Result) Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.standing.Load() >= broken {
		return Unchanged
	}
	done, err := m.breaker.Allow()
	if err != nil {
		panic("BUG: a closed circuit refuses: " + err.Error())
	}
	done(verdict(r))
	switch {
	case r == Good:
		m.standing.Store(calm)
	case m.breaker.State() == gobreaker.StateClosed:
		m.standing.Store(uneasy)
	default:
		m.open(now, r, m.closed > 0 && now-m.closed < int64(m.wait))
		return Opened
	}
	return Unchanged
}

// open opens the circuit: for twice as long as the last time when it is again.
// The mutex is held.
func (m *Member) open(now int64, r Result, again bool) {
	if again {
		m.wait = min(2*m.wait, m.cfg.MaxOpen)
	} else {
		m.wait = m.cfg.Open
	}
	m.unreachable.Store(r == Unreachable)
	m.until.Store(now + int64(m.wait))
	m.standing.Store(broken)
}

// beginTrial takes the one trial, when nobody has it.
func (m *Member) beginTrial(now int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.standing.Load() != broken || now <= m.until.Load() {
		return false
	}
	done, err := m.breaker.Allow()
	if err != nil {
		return false // by its clock it is not time yet
	}
	m.trial = done
	m.standing.Store(trying)
	return true
}

func (m *Member) endTrial(now int64, r Result) Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.trial == nil {
		panic("BUG: the end of a trial that nobody began")
	}
	m.trial(verdict(r))
	m.trial = nil
	switch r {
	case Good:
		m.closed = now
		m.standing.Store(calm)
		return Reclosed
	case Neutral:
		m.standing.Store(broken) // the next request tries
		return Unchanged
	default:
		m.open(now, r, true)
		return Reopened
	}
}

// Probe asks for the trial on behalf of a health check: ok is false when the
// circuit is not open, or it is not time yet. Its result goes to Report, as that
// of a trial.
func (m *Member) Probe(now int64) (ok bool) {
	return m.standing.Load() == broken && m.beginTrial(now)
}

// Waiting is how long the circuit is open still.
func (m *Member) Waiting(now int64) time.Duration { return time.Duration(max(m.until.Load()-now, 0)) }
