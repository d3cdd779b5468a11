// Command watched measures what an open console costs the requests that go through
// the gateway: rounds with a viewer of the console's stream and rounds without take
// turns, and each pair is compared.
//
//	go -C bench run ./watched -rounds 20
//
// The gateway runs on one core, load and upstream on another. Processor time is
// that of the gateway's process, console included.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/chatshipper/gateway/bench/internal/load"
	"github.com/chatshipper/gateway/bench/internal/proc"
	"github.com/chatshipper/gateway/bench/internal/upstream"
)

const (
	gatewayCore, loadCore = "0", "1"

	connections = 32
	// settle is how long it takes until nobody counts as looking any more.
	settle = 6 * time.Second
	// upstreamCommand runs this program as the upstream, on the core of the load.
	upstreamCommand = "upstream"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == upstreamCommand {
		fmt.Fprintln(os.Stderr, "watched:", serveUpstream(os.Args[2]))
		os.Exit(1)
	}
	rounds := flag.Int("rounds", 20, "pairs of rounds for each kind of request")
	seconds := flag.Int("seconds", 3, "length of a round")
	flag.Parse()
	if err := run(*rounds, *seconds, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "watched:", err)
		os.Exit(1)
	}
}

// scene is a gateway with load on it.
type scene struct {
	upstream      *proc.Process
	gateway       *proc.Process
	public, admin string
	load          *load.Generator
}

func run(rounds, seconds int, out io.Writer) error {
	dir, err := os.MkdirTemp("", "gateway-watched-")
	if err != nil {
		return fmt.Errorf("cannot make a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := start(dir)
	if err != nil {
		return err
	}
	defer s.upstream.Stop()
	defer s.gateway.Stop()
	if s.load, err = load.NewGenerator(loadCore); err != nil {
		return err
	}
	defer s.load.Close()
	for _, kind := range []string{load.Get, load.Message} {
		if err := s.compare(kind, rounds, seconds, out); err != nil {
			return err
		}
	}
	return nil
}

func serveUpstream(port string) error {
	n, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("cannot read the port: %w", err)
	}
	s, err := upstream.Listen(n)
	if err != nil {
		return err
	}
	return s.Serve()
}

// start builds the gateway and runs it in front of an upstream.
func start(dir string) (*scene, error) {
	binary := filepath.Join(dir, "gateway")
	build := exec.Command("go", "build", "-o", binary, "./cmd/gateway")
	build.Dir = ".."
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build the gateway: %w: %s", err, text)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program: %w", err)
	}
	const up = "127.0.0.1:18480"
	s := &scene{public: "127.0.0.1:18481", admin: "127.0.0.1:18482"}
	if s.upstream, err = proc.Start(loadCore, self, upstreamCommand, "18480"); err != nil {
		return nil, err
	}
	if err := s.upstream.Ready(up); err != nil {
		s.upstream.Stop()
		return nil, err
	}
	config := filepath.Join(dir, "gateway.yaml")
	text := fmt.Sprintf("listen: {address: %q}\nadmin: {address: %q}\nupstream: {url: \"http://%s\"}\n"+
		"limits: {per_ip: {requests: 100000}}\nlog: {access: false}\n", s.public, s.admin, up)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("cannot write the configuration: %w", err)
	}
	if s.gateway, err = proc.Start(gatewayCore, binary, "run", "--config", config); err != nil {
		return nil, err
	}
	if err := s.gateway.Ready(s.admin); err != nil {
		s.gateway.Stop()
		return nil, err
	}
	return s, nil
}

// compare tells the ratio of each pair of rounds; which goes first takes turns.
func (s *scene) compare(kind string, rounds, seconds int, out io.Writer) error {
	var closed, open, ratios, lateClosed, lateOpen []float64
	for i := range rounds + 1 { // the first pair warms up
		var pair, late [2]float64
		for _, watched := range []int{i % 2, 1 - i%2} {
			var err error
			if pair[watched], late[watched], err = s.round(kind, seconds, watched == 1); err != nil {
				return err
			}
		}
		if i > 0 {
			closed, open = append(closed, pair[0]), append(open, pair[1])
			ratios = append(ratios, pair[1]/pair[0])
			lateClosed, lateOpen = append(lateClosed, late[0]), append(lateOpen, late[1])
		}
	}
	low, high := quartiles(ratios)
	_, err := fmt.Fprintf(out, "%-8s %d pairs of %d s: %.2f µs of processor time a request with the console closed, %.2f open; ratio of pairs %.3f (quartiles %.3f to %.3f); p99 %.0f and %.0f µs\n",
		kind, rounds, seconds, median(closed), median(open), median(ratios), low, high, median(lateClosed), median(lateOpen))
	return err
}

// round is the processor time of a request, in µs, and the 99th percentile of the
// latency.
func (s *scene) round(kind string, seconds int, watched bool) (cpu, p99 float64, err error) {
	time.Sleep(settle)
	if watched {
		viewer, err := proc.Start(loadCore, "curl", "-sN", "-o", os.DevNull, "http://"+s.admin+"/admin/v1/stream")
		if err != nil {
			return 0, 0, err
		}
		defer viewer.Stop()
		time.Sleep(time.Second) // until it has joined
	}
	before, err := s.gateway.CPU()
	if err != nil {
		return 0, 0, err
	}
	r, err := s.load.Run(kind, "http://"+s.public, connections, seconds)
	if err != nil {
		return 0, 0, err
	}
	after, err := s.gateway.CPU()
	if err != nil {
		return 0, 0, err
	}
	if r.Requests == 0 || r.Broken() > 0 || r.Status > 0 {
		return 0, 0, fmt.Errorf("cannot count a round of %d requests: %d broken, %d refused", r.Requests, r.Broken(), r.Status)
	}
	return float64((after - before).Microseconds()) / float64(r.Requests), float64(r.P99), nil
}

func median(list []float64) float64 { return at(list, .5) }

func quartiles(list []float64) (low, high float64) { return at(list, .25), at(list, .75) }

// at is a quantile, between two values where it falls there.
func at(list []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	place := q * float64(len(sorted)-1)
	i := int(place)
	if i+1 >= len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (sorted[i+1]-sorted[i])*(place-float64(i))
}
