package upstream

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/chatshipper/gateway/internal/balance"
)

// Start begins to watch the addresses: it looks names up, and asks for the path of
// the health check. Further calls do nothing.
func (f *Fleet) Start() {
	f.start.Do(func() {
		f.started = true
		for _, m := range f.set.Load().members {
			f.observe(m)
		}
		f.running.Go(func() {
			f.every(time.Second, func() { f.budget.Sample(f.clock(), f.requests()) })
		})
		if slices.ContainsFunc(f.targets, func(t target) bool { return !t.literal }) {
			f.running.Go(func() { f.every(f.cfg.ResolveInterval, f.resolve) })
		}
	})
}

// observe begins the health checks of a member.
func (f *Fleet) observe(m *member) {
	if f.Checked() {
		f.running.Go(func() {
			repeat(m.stay, f.cfg.HealthCheck.Interval, func() { f.check(m.stay, m) })
		})
	}
}

// every does something now, and at intervals until Close.
func (f *Fleet) every(interval time.Duration, do func()) { repeat(f.ctx, interval, do) }

func repeat(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		do()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// check asks once. A member that does not answer well gets requests only when
// none is well. One that does not answer at all counts as failed, as with a
// request; and when its circuit may be tried, the check is the trial.
func (f *Fleet) check(ctx context.Context, m *member) {
	trial := m.Probe(f.clock())
	within, cancel := context.WithTimeout(ctx, max(f.cfg.HealthCheck.Interval, time.Second))
	defer cancel()
	err := m.client.Check(within)
	failure := (*Error)(nil)
	result, cause := balance.Good, ""
	switch {
	case ctx.Err() != nil:
		result = balance.Neutral
	case errors.As(err, &failure):
		result, cause = balance.Unreachable, "health check: "+failure.Reason.String()
	case err != nil:
		result, cause = balance.Bad, "health check"
	}
	if trial || result == balance.Unreachable {
		f.report(m, trial, result, cause)
	}
	if result != balance.Neutral {
		f.note(m, err)
	}
}

// note keeps what a health check found.
func (f *Fleet) note(m *member, err error) {
	m.down.Store(err != nil)
	if unwell := err != nil; unwell != m.Doubted() {
		m.Doubt(unwell)
		if unwell {
			f.log.Warn("upstream address fails its health check", "address", m.name(f), "error", err)
		} else {
			f.log.Info("upstream address passes its health check again", "address", m.name(f))
		}
	}
}

// Close ends the watching and closes the idle connections. Those in use are
// closed after their answer.
func (f *Fleet) Close() {
	f.cancel()
	f.running.Wait()
	for _, m := range f.set.Load().members {
		m.client.Close()
	}
}

// Up reports whether any address can be reached: by the last health check where
// there is one, else by the last request.
func (f *Fleet) Up() bool {
	return slices.ContainsFunc(f.set.Load().members, func(m *member) bool { return !m.down.Load() })
}

// Checked reports whether there are health checks.
func (f *Fleet) Checked() bool { return f.cfg.HealthCheck.Path != "" }

// Stats counts the connections of all addresses.
func (f *Fleet) Stats() (all Stats) {
	for _, m := range f.set.Load().members {
		s := m.client.Stats()
		all.Open, all.Idle = all.Open+s.Open, all.Idle+s.Idle
	}
	return all
}

// Capacity is how many connections may be open at once.
func (f *Fleet) Capacity() int { return f.cfg.MaxConnections * len(f.set.Load().members) }

// Targets are the addresses as they are configured.
func (f *Fleet) Targets() []string { return f.cfg.Targets() }

// Circuits counts the servers behind a configured address by the state of their
// circuit.
func (f *Fleet) Circuits(target int) (count [balance.States]int) {
	now := f.clock()
	for _, m := range f.set.Load().members {
		if m.target == target {
			count[m.State(now)]++
		}
	}
	return count
}

// InFlight is how many requests are in flight to a configured address.
func (f *Fleet) InFlight(target int) (n int64) {
	for _, m := range f.set.Load().members {
		if m.target == target {
			n += m.Load()
		}
	}
	return n
}

// Retries is how many requests were sent again.
func (f *Fleet) Retries() int64 { return f.budget.Taken() }

// RetriesRefused is how many were not, for want of budget.
func (f *Fleet) RetriesRefused() int64 { return f.budget.Refused() }

// LookupErrors is how many lookups of names failed.
func (f *Fleet) LookupErrors() int64 { return f.lookups.Load() }
