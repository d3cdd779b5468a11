package balance

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Config says when a circuit opens and for how long.
type Config struct {
	Failures int           // in a row; 0 turns the circuit breaker off
	Open     time.Duration // for how long the first time; it doubles with each further time
	MaxOpen  time.Duration // up to this
}

// Result is what a request told of the member that it was sent to.
type Result uint8

const (
	// Good means: it answered.
	Good Result = iota
	// Bad means: a connection came about, but no answer, or one that says that the API
	// behind it does not answer.
	Bad
	// Unreachable means: no connection came about, which no client's request can cause.
	Unreachable
	// Neutral means: nothing can be told, because it was not the member's doing.
	Neutral
)

// State is the state of a member's circuit, as operators know them.
type State uint8

const (
	// Closed means: it takes requests.
	Closed State = iota
	// HalfOpen means: one request may try whether it is back, or is trying.
	HalfOpen
	// Open means: it is passed over.
	Open
	// States is the number of states.
	States
)

var states = [States]string{"closed", "half_open", "open"}

// String is the state's name in metrics and logs.
func (s State) String() string { return states[s] }

// standing is what the hot path looks at: one atomic load.
type standing = uint32

const (
	calm   standing = iota // closed, and the last request told nothing bad
	uneasy                 // closed, and failures in a row are being counted
	broken                 // open
	trying                 // half-open, with the trial in flight
)

// class is how a member stands in a search.
type class uint8

const (
	well       class = iota
	due              // its circuit may be tried
	dueDoubted       // likewise, but a health check says no
	poor             // answers badly: better than nothing
	out              // can't be connected to, or is being tried
	classes
)

// lone is a counter on a cache line of its own: two that share one cost a request
// on another core 20 ns more.
type lone struct {
	atomic.Int64
	_ [56]byte
}

// Member is one address, as numbers. It is safe for concurrent use.
type Member struct {
	started, ended lone // requests
	standing       atomic.Uint32
	doubted        atomic.Bool  // a health check found it unwell
	unreachable    atomic.Bool  // what opened the circuit
	until          atomic.Int64 // while open: when it may be tried, ns

	cfg     Config
	mu      sync.Mutex // taken only after a failure, and until the next success
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	trial   func(error)   // ends the trial that is in flight
	wait    time.Duration // how long it was open last
	closed  int64         // when it closed last, ns
}

// NewMember makes a member whose circuit is closed.
func NewMember(cfg Config) *Member {
	m := &Member{cfg: cfg}
	if cfg.Failures > 0 {
		m.breaker = newBreaker(cfg)
	}
	return m
}

// Start counts a request in. Each Start needs one End.
func (m *Member) Start() { m.started.Add(1) }

// End counts a request out.
func (m *Member) End() { m.ended.Add(1) }

// Load is how many requests are in flight.
func (m *Member) Load() int64 {
	ended := m.ended.Load() // first: so that it is never more than have started
	return m.started.Load() - ended
}

// Started is how many requests there were.
func (m *Member) Started() int64 { return m.started.Load() }

// Doubt notes what a health check found: a member that is doubted gets requests
// only when none is well.
func (m *Member) Doubt(unwell bool) { m.doubted.Store(unwell) }

// Doubted reports whether the last health check found the member unwell.
func (m *Member) Doubted() bool { return m.doubted.Load() }

// State is the state of the circuit at a time, for operators: a member that a
// health check doubts is passed over as well, and counts as open.
func (m *Member) State(now int64) State {
	switch s := m.standing.Load(); {
	case s == trying, s == broken && now > m.until.Load() && !m.doubted.Load():
		return HalfOpen
	case s == broken, m.doubted.Load():
		return Open
	}
	return Closed
}

// Cut reports whether the circuit is open because no connection came about.
func (m *Member) Cut() bool { return m.standing.Load() >= broken && m.unreachable.Load() }

func (m *Member) well() bool { return m.standing.Load() <= uneasy && !m.doubted.Load() }

func (m *Member) class(now int64) class {
	doubted := m.doubted.Load()
	switch s := m.standing.Load(); {
	case s <= uneasy && !doubted:
		return well
	case s <= uneasy:
		return poor
	case s == broken && now > m.until.Load() && !doubted:
		return due
	case s == broken && now > m.until.Load():
		return dueDoubted
	case m.unreachable.Load():
		return out
	}
	return poor
}

// opensAt is when a member that is out may be tried, ns.
func (m *Member) opensAt(now int64) int64 { return max(m.until.Load(), now) }
