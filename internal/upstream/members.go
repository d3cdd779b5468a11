package upstream

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/chatshipper/gateway/internal/balance"
)

// lookup finds the addresses of a name, the best first.
type lookup func(ctx context.Context, name string) ([]netip.Addr, error)

// target is one address as it is configured.
type target struct {
	name       string // host:port
	host, port string
	literal    bool         // the host is an address, nothing to look up
	answer     []netip.Addr // of the last lookup that succeeded
	lost       bool         // the last lookup failed
}

func targetsOf(cfg *Config) []target {
	names := cfg.Targets()
	targets := make([]target, len(names))
	for i, name := range names {
		host, port, _ := net.SplitHostPort(name) // validated
		_, err := netip.ParseAddr(host)
		targets[i] = target{name: name, host: host, port: port, literal: err == nil}
	}
	return targets
}

// servers are the servers behind a target, each with the addresses to dial. A
// name with several addresses of the family that the system prefers (RFC 6724:
// never one that this machine has no way to) stands for as many servers. One with
// a single address in each family is one server that can be reached in two ways.
func (t *target) servers() [][]string {
	if len(t.answer) == 0 {
		return [][]string{{t.name}}
	}
	var preferred, others []string
	for _, a := range t.answer {
		address := net.JoinHostPort(a.String(), t.port)
		if a.Is4() == t.answer[0].Is4() {
			preferred = append(preferred, address)
		} else {
			others = append(others, address)
		}
	}
	if len(preferred) == 1 {
		return [][]string{append(preferred, others...)}
	}
	slices.Sort(preferred) // a name server turns them round
	servers := make([][]string, len(preferred))
	for i, address := range preferred {
		servers[i] = []string{address}
	}
	return servers
}

// assemble makes the members anew of what the names stand for now. A member that
// stays keeps its connections, its load and its circuit.
func (f *Fleet) assemble() {
	before := map[string]*member{}
	if s := f.set.Load(); s != nil {
		for _, m := range s.members {
			before[m.key] = m
		}
	}
	next := &set{}
	seen := map[string]bool{}
	for i := range f.targets {
		for _, addresses := range f.targets[i].servers() {
			key := strings.Join(addresses, " or ")
			if seen[key] || len(next.members) == MaxAddresses {
				continue
			}
			seen[key] = true
			m := before[key]
			if m == nil {
				m = f.join(key, i, addresses)
			}
			delete(before, key)
			next.members = append(next.members, m)
		}
	}
	next.regroup()
	f.set.Store(next)
	for _, m := range before {
		f.dismiss(m)
	}
}

func (s *set) regroup() {
	list := make([]*balance.Member, len(s.members))
	for i, m := range s.members {
		list[i] = m.Member
	}
	s.group = balance.NewGroup(list...)
}

func (f *Fleet) join(key string, target int, addresses []string) *member {
	b := f.cfg.CircuitBreaker
	m := &member{
		Member: balance.NewMember(balance.Config{Failures: b.Failures, Open: b.Open, MaxOpen: b.MaxOpen}),
		client: f.base.At(addresses, f.mayRepeat), target: target, key: key,
	}
	m.stay, m.leave = context.WithCancel(f.ctx)
	if f.started {
		f.observe(m)
	}
	return m
}

// dismiss ends a member: it gets no new request, and its connections are closed,
// those in use after their answer.
func (f *Fleet) dismiss(m *member) {
	m.leave()
	m.client.Close()
	f.departed.Add(m.Started())
}

// resolve looks every name up. A lookup that fails changes nothing.
func (f *Fleet) resolve() {
	changed := false
	for i := range f.targets {
		t := &f.targets[i]
		if t.literal {
			continue
		}
		answer, err := f.addressesOf(t.host)
		if err != nil {
			f.lookups.Add(1)
			if !t.lost && f.ctx.Err() == nil {
				f.log.Warn("cannot look up an upstream address: the last answer stays in use", "address", t.name, "error", err)
			}
			t.lost = true
			continue
		}
		t.lost = false
		if !sameAddresses(answer, t.answer) {
			changed = true
			f.log.Info("upstream address looked up", "address", t.name, "found", len(answer))
		}
		t.answer = answer
	}
	if changed {
		f.assemble()
	}
}

func lookUp(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name) //nolint:wrapcheck // a sentence of its own
}

func (f *Fleet) addressesOf(host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(f.ctx, f.cfg.ConnectTimeout)
	defer cancel()
	answer, err := f.find(ctx, host)
	if err == nil && len(answer) == 0 {
		err = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	for i, a := range answer {
		answer[i] = a.Unmap()
	}
	return answer, err
}

// sameAddresses compares two answers. The order matters only between families.
func sameAddresses(a, b []netip.Addr) bool {
	if len(a) != len(b) || len(a) == 0 || a[0].Is4() != b[0].Is4() {
		return len(a) == len(b) && len(a) == 0
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, netip.Addr.Compare)
	slices.SortFunc(b, netip.Addr.Compare)
	return slices.Equal(a, b)
}

// causeOf says in a word why a circuit opened.
func causeOf(err error, status int) string {
	if failure, ok := err.(*Error); ok { //nolint:errorlint // Do of a client returns it unwrapped
		return failure.Reason.String()
	}
	return "answered " + strconv.Itoa(status)
}
