package upstream

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatshipper/gateway/internal/balance"
)

// maxTries is to how many addresses one request goes at most.
const maxTries = 3

// errCircuit is the cause of ReasonCircuitOpen.
var errCircuit = errors.New("no address can be connected to")

// Fleet sends requests to an API that answers at one address or at several. It
// is safe for concurrent use. With one address that is well it adds to the Client
// of that address the choice between one, and the count of requests in flight.
type Fleet struct {
	cfg    Config
	base   *Client // of no address; the others are made of it
	clock  func() int64
	log    *slog.Logger
	failed func(Reason)
	budget *balance.Budget
	set    atomic.Pointer[set]

	find    lookup
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	start   sync.Once
	started bool
	running sync.WaitGroup

	targets  []target     // what changes in them belongs to resolve
	departed atomic.Int64 // requests that members had which are gone
	lookups  atomic.Int64 // that failed
}

// set is the members at one time.
type set struct {
	group   *balance.Group
	members []*member
}

// member is one server: most often one address.
type member struct {
	*balance.Member
	client *Client
	target int    // which of the configured addresses led to it
	key    string // says where it is: the addresses that are dialled
	down   atomic.Bool
	last   atomic.Pointer[Failure] // nil: none yet
	stay   context.Context         // ends when it leaves the fleet
	leave  context.CancelFunc
}

// Deps is what a Fleet needs of its surroundings.
type Deps struct {
	Clock func() int64 // process time, ns
	Log   *slog.Logger // what became of the addresses
	// Failed hears of calls that failed where the request went to another address:
	// Do does not return those.
	Failed func(Reason)
	// Lookup finds the addresses of a name, the best first; nil: the system.
	Lookup lookup
}

// NewFleet makes a fleet. Like New it asks nothing of anybody, and its errors are
// those of New.
func NewFleet(cfg Config, d Deps) (*Fleet, error) {
	base, err := New(cfg)
	if err != nil {
		return nil, err
	}
	base.now = d.Clock
	f := &Fleet{
		cfg: cfg, base: base, clock: d.Clock, log: d.Log, failed: d.Failed, targets: targetsOf(&cfg),
		budget: balance.NewBudget(cfg.RetryBudget.Percent, cfg.RetryBudget.PerSecond), find: d.Lookup,
	}
	if f.find == nil {
		f.find = lookUp
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.assemble()
	return f, nil
}

// Names are the authorities of the API: the one for the Host header first.
func (f *Fleet) Names() (names [][]byte) {
	for _, name := range f.cfg.Authorities() {
		names = append(names, []byte(name))
	}
	return names
}

// Do sends a request to the address that is best at the moment and receives its
// answer. What was never written, or is idempotent and met a connection that had
// ended, goes to another address when the first fails, within the budget. now is
// process time. An error is always an *Error, and leaves nothing in resp but the
// Body that the caller had set.
func (f *Fleet) Do(now int64, req *Request, resp *Response) error {
	req.now = now
	s := f.set.Load()
	c := s.group.Pick(now, 0)
	if c.Index == balance.None {
		resp.clear()
		return &Error{Reason: ReasonCircuitOpen, Wait: c.Wait, Err: errCircuit}
	}
	m := s.members[c.Index]
	err := f.send(m, c, req, resp)
	if err == nil && !c.Trial && !isBad(resp.Status) {
		m.Report(now, balance.Good, false)
		m.saw(f, true)
		return nil
	}
	return f.settle(s, c, req, resp, err)
}

// settle reports what became of a request, and sends it elsewhere where that is
// safe, until it is answered or nothing is left to try.
func (f *Fleet) settle(s *set, c balance.Choice, req *Request, resp *Response, err error) error {
	tried := balance.Tried(0)
	for n := 1; ; n++ {
		m := s.members[c.Index]
		f.report(m, c.Trial, resultOf(err, resp.Status), causeOf(err, resp.Status))
		tried = tried.With(c.Index)
		failure, _ := err.(*Error) //nolint:errorlint // Do of a client returns it unwrapped
		if failure == nil || !failure.Again || n == min(maxTries, len(s.members)) {
			return err
		}
		if c = f.next(s, tried); c.Index == balance.None {
			return err
		}
		f.failed(failure.Reason)
		req.now = 0 // some time ago
		err = afterAnother(f.send(s.members[c.Index], c, req, resp), failure.Sent)
	}
}

// afterAnother keeps in mind that an attempt before this one had sent something.
func afterAnother(err error, sent bool) error {
	failure, _ := err.(*Error) //nolint:errorlint // Do of a client returns it unwrapped
	if failure == nil || !sent {
		return err
	}
	again := *failure // one of them is shared
	again.Sent = true
	return &again
}

// next chooses another address, when the budget allows.
func (f *Fleet) next(s *set, tried balance.Tried) balance.Choice {
	now := f.clock()
	c := s.group.Pick(now, tried)
	if c.Index == balance.None || f.mayRepeat() {
		return c
	}
	if c.Trial {
		s.members[c.Index].Report(now, balance.Neutral, true)
	}
	return balance.Choice{Index: balance.None}
}

// send sends a request to a member. A trial ends even when something panics.
func (f *Fleet) send(m *member, c balance.Choice, req *Request, resp *Response) error {
	m.Start()
	defer m.End()
	if c.Trial {
		return f.try(m, req, resp)
	}
	return m.client.Do(req, resp)
}

func (f *Fleet) try(m *member, req *Request, resp *Response) error {
	ended := false
	defer func() {
		if !ended {
			m.Report(f.clock(), balance.Neutral, true)
		}
	}()
	err := m.client.Do(req, resp)
	ended = true
	return err
}

// mayRepeat asks the budget for one retry.
func (f *Fleet) mayRepeat() bool { return f.budget.Take(f.clock(), f.requests()) }

// requests counts all since the start.
func (f *Fleet) requests() int64 {
	total := f.departed.Load()
	for _, m := range f.set.Load().members {
		total += m.Started()
	}
	return total
}

// report tells a member's circuit what became of a request, and the log what that
// did to it.
func (f *Fleet) report(m *member, trial bool, r balance.Result, cause string) {
	now := f.clock()
	change := m.Report(now, r, trial)
	if r == balance.Good || r == balance.Bad {
		m.saw(f, true)
	}
	if r == balance.Unreachable {
		m.saw(f, false)
	}
	if r == balance.Unreachable || r == balance.Bad {
		m.last.Store(&Failure{Cause: cause, At: time.Unix(0, now).UTC()})
	}
	switch wait := m.Waiting(now).Round(time.Millisecond).String(); change {
	case balance.Opened:
		f.log.Warn("circuit of an upstream address opened", "address", m.name(f), "cause", cause, "for", wait)
	case balance.Reopened:
		f.log.Warn("circuit of an upstream address stays open", "address", m.name(f), "cause", cause, "for", wait)
	case balance.Reclosed:
		f.log.Info("circuit of an upstream address closed", "address", m.name(f))
	}
}

// saw notes whether a member could be reached, where no health check does.
func (m *member) saw(f *Fleet, reachable bool) {
	if m.down.Load() == reachable && f.cfg.HealthCheck.Path == "" {
		m.down.Store(!reachable)
	}
}

// name is the member's address, and how it came about.
func (m *member) name(f *Fleet) string {
	if name := f.targets[m.target].name; name != m.key {
		return name + " (" + m.key + ")"
	}
	return m.key
}

// isBad reports whether an answer says that the API behind the address does not
// answer: the statuses of gateways. Any other is the API's own.
func isBad(status int) bool { return status >= 502 && status <= 504 }

func resultOf(err error, status int) balance.Result {
	failure, _ := err.(*Error) //nolint:errorlint // Do of a client returns it unwrapped
	switch {
	case failure == nil && isBad(status):
		return balance.Bad
	case failure == nil:
		return balance.Good
	}
	switch failure.Reason {
	case ReasonDNS, ReasonConnect, ReasonTLS:
		return balance.Unreachable
	case ReasonSource, ReasonNoFreeConns, ReasonCircuitOpen:
		return balance.Neutral
	default:
		return balance.Bad
	}
}
