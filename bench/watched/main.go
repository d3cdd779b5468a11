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
	"slices"
	"time"

	"github.com/chatshipper/gateway/bench/internal/load"
	"github.com/chatshipper/gateway/bench/internal/proc"
	"github.com/chatshipper/gateway/bench/internal/scene"
)

const (
	connections = 32
	// settle is how long it takes until nobody counts as looking any more.
	settle = 6 * time.Second
)

func main() {
	scene.ServeUpstream()
	rounds := flag.Int("rounds", 20, "pairs of rounds for each kind of request")
	seconds := flag.Int("seconds", 3, "length of a round")
	flag.Parse()
	if err := run(*rounds, *seconds, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "watched:", err)
		os.Exit(1)
	}
}

// console is a gateway whose console is open, or not.
type console struct{ *scene.Scene }

func run(rounds, seconds int, out io.Writer) error {
	s, err := scene.Start("")
	if err != nil {
		return err
	}
	defer s.Stop()
	for _, kind := range []string{load.Get, load.Message} {
		if err := (console{s}).compare(kind, rounds, seconds, out); err != nil {
			return err
		}
	}
	return nil
}

// compare tells the ratio of each pair of rounds; which goes first takes turns.
func (c console) compare(kind string, rounds, seconds int, out io.Writer) error {
	var closed, open, ratios, lateClosed, lateOpen []float64
	for i := range rounds + 1 { // the first pair warms up
		var pair, late [2]float64
		for _, watched := range []int{i % 2, 1 - i%2} {
			var err error
			if pair[watched], late[watched], err = c.round(kind, seconds, watched == 1); err != nil {
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
func (c console) round(kind string, seconds int, watched bool) (cpu, p99 float64, err error) {
	time.Sleep(settle)
	if watched {
		viewer, err := proc.Start(scene.LoadCore, "curl", "-sN", "-o", os.DevNull, "http://"+c.Admin+"/admin/v1/stream")
		if err != nil {
			return 0, 0, err
		}
		defer viewer.Stop()
		time.Sleep(time.Second) // until it has joined
	}
	before, err := c.Gateway.CPU()
	if err != nil {
		return 0, 0, err
	}
	r, err := c.Load.Run(kind, "http://"+c.Public, connections, seconds)
	if err != nil {
		return 0, 0, err
	}
	after, err := c.Gateway.CPU()
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
