package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/chatshipper/gateway/bench/internal/load"
	"github.com/chatshipper/gateway/bench/internal/peer"
	"github.com/chatshipper/gateway/bench/internal/proc"
	"github.com/chatshipper/gateway/bench/internal/report"
	"github.com/chatshipper/gateway/bench/internal/upstream"
)

// bench is one run of everything that was asked for.
type bench struct {
	out      io.Writer
	peers    []peer.Peer
	rounds   int
	seconds  int           // of load in each round, for each peer
	quiet    float64       // share of the machine that others may use
	patience time.Duration // how long to wait for that, before each measurement
	samples  []report.Sample
	checked  []string // what checkPolicies saw
	leftOut  []string // scenarios that could not be played, and why
	starts   []report.Start
}

// errNotReady: a gateway that was built before it could do what a scenario asks.
var errNotReady = errors.New("the gateway can't do it yet")

// stage is what a scenario is played on.
type stage struct {
	*scenario
	upstream  *proc.Process
	addr      string // the upstream's
	load      *load.Generator
	redis     *proc.Process
	instances []*peer.Instance
}

// play measures one scenario.
func (b *bench) play(s *scenario) error {
	fmt.Fprintf(b.out, "\n%s\n", s.title)
	st := &stage{scenario: s}
	defer st.end()
	if err := b.set(st); err != nil {
		return fmt.Errorf("cannot prepare %q: %w", s.id, err)
	}
	for round := range b.rounds + 1 { // the first one warms up
		for _, i := range st.instances {
			sample, err := b.try(st, i)
			if err != nil {
				return fmt.Errorf("cannot measure %s: %w", i.Name, err)
			}
			if round == 0 {
				continue
			}
			sample.Round = round
			b.samples = append(b.samples, sample)
			b.tell(&sample)
		}
	}
	return nil
}

// try measures one peer once, when the machine is quiet; when others used it
// meanwhile all the same, up to three times, and the quietest counts.
func (b *bench) try(st *stage, i *peer.Instance) (best report.Sample, err error) {
	for attempt := range 3 {
		if err := b.await(); err != nil {
			return best, err
		}
		s, err := b.measure(st, i)
		if err != nil {
			return s, err
		}
		if attempt == 0 || s.Others < best.Others {
			best = s
		}
		if best.Others <= b.quiet || best.Discarded != "" {
			break
		}
	}
	return best, nil
}

// await waits until nobody uses the machine, for as long as the patience lasts.
// Nothing of ours runs then.
func (b *bench) await() error {
	const look = 200 * time.Millisecond
	for end := time.Now().Add(b.patience); time.Now().Before(end); {
		before, err := busy()
		if err != nil {
			return err
		}
		time.Sleep(look)
		after, err := busy()
		if err != nil {
			return err
		}
		if float64(after-before)/float64(look)/2 <= b.quiet {
			break
		}
	}
	return nil
}

// clocks are read before and after a run.
type clocks struct {
	peer, upstream, machine time.Duration
	at                      time.Time
	seen                    int64
}

func (st *stage) read(i *peer.Instance) (c clocks, err error) {
	if c.peer, err = i.CPU(); err != nil {
		return c, err
	}
	if c.upstream, err = st.upstream.CPU(); err != nil {
		return c, err
	}
	if c.machine, err = busy(); err != nil {
		return c, err
	}
	c.at = time.Now()
	c.seen, err = st.seen()
	return c, err
}

func (b *bench) measure(st *stage, i *peer.Instance) (report.Sample, error) {
	s := report.Sample{Scenario: st.id, Peer: i.Name}
	before, err := st.read(i)
	if err != nil {
		return s, err
	}
	r, err := st.load.Run(st.kind, st.url(i.Addr), st.connections, b.seconds)
	if err != nil {
		return s, err
	}
	after, err := st.read(i)
	if err != nil {
		return s, err
	}
	memory, err := i.Memory()
	if err != nil {
		return s, err
	}
	used := after.peer - before.peer
	ours := used + after.upstream - before.upstream + r.CPU
	s.CPU = float64(used.Nanoseconds()) / 1e3 / float64(r.Requests)
	s.PerSecond, s.Memory = r.PerSecond(), float64(memory)
	s.P50, s.P99, s.P999 = float64(r.P50), float64(r.P99), float64(r.P999)
	s.Others = float64(after.machine-before.machine-ours) / float64(after.at.Sub(before.at)) / 2
	s.Discarded = st.verdict(r, after.seen-before.seen, b.seconds)
	return s, nil
}

func (b *bench) tell(s *report.Sample) {
	fmt.Fprintf(b.out, "%3d  %-26s %7.2f µs %8.0f/s  p50 %6.0f  p99 %6.0f  p99.9 %6.0f µs  %4.0f MB  others %2.0f %%  %s\n",
		s.Round, s.Peer, s.CPU, s.PerSecond, s.P50, s.P99, s.P999, s.Memory/1e6, s.Others*100, s.Discarded)
}

// set starts the upstream and every peer that the scenario takes.
func (b *bench) set(st *stage) (err error) {
	_, loadCores := st.cores()
	if st.upstream, st.addr, err = startUpstream(loadCores); err != nil {
		return err
	}
	if st.load, err = load.NewGenerator(loadCores); err != nil {
		return err
	}
	settings := st.settings(st.addr)
	if st.redis, settings.Redis, err = startRedis(st.scenario, loadCores); err != nil {
		return err
	}
	for i := range b.peers {
		if !st.takes(&b.peers[i]) {
			continue
		}
		instance, err := b.peers[i].Start(settings)
		if err != nil && st.scenario.redis {
			return fmt.Errorf("%w: %w", errNotReady, err)
		}
		if err != nil {
			return err
		}
		st.instances = append(st.instances, instance)
	}
	return nil
}

func (st *stage) end() {
	for _, i := range st.instances {
		i.Stop()
	}
	for _, p := range []*proc.Process{st.upstream, st.redis} {
		if p != nil {
			p.Stop()
		}
	}
	if st.load != nil {
		st.load.Close()
	}
}

// seen asks the upstream how many requests have come, until no more do.
func (st *stage) seen() (int64, error) {
	last, same := int64(-1), 0
	for {
		res, err := http.Get("http://" + st.addr + upstream.CountPath)
		if err != nil {
			return 0, fmt.Errorf("cannot ask the upstream: %w", err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return 0, fmt.Errorf("cannot read the upstream's count: %w", err)
		}
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("cannot read the upstream's count: %w", err)
		}
		if n != last {
			last, same = n, 0
		} else if same++; same == 5 {
			return n, nil
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// startUpstream runs this program as the upstream, a process of its own.
func startUpstream(cores string) (*proc.Process, string, error) {
	port, err := peer.FreePort()
	if err != nil {
		return nil, "", err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("cannot tell which program this is: %w", err)
	}
	p, err := proc.Start(cores, self, upstreamCommand, strconv.Itoa(port))
	if err != nil {
		return nil, "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return p, addr, p.Ready(addr)
}

func startRedis(s *scenario, cores string) (*proc.Process, string, error) {
	if !s.redis {
		return nil, "", nil
	}
	port, err := peer.FreePort()
	if err != nil {
		return nil, "", err
	}
	p, err := proc.Start(cores, "redis-server", "--port", strconv.Itoa(port), "--save", "", "--bind", "127.0.0.1")
	if err != nil {
		return nil, "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return p, addr, p.Ready(addr)
}
