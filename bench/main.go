// Command bench measures the gateway against other gateways on this machine, and
// writes what it found into a document.
//
//	go run .                              everything, about an hour
//	go run . -smoke                       every kind of work once, in a minute
//	go run . -scenarios get -peers haproxy
//
// A peer runs on one core, load and upstream on another (the scenarios that end
// in -free: all on both). Processor time is that of the peer's processes, read
// from the kernel's clock; requests, latencies and statuses are wrk's.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chatshipper/gateway/bench/internal/debian"
	"github.com/chatshipper/gateway/bench/internal/peer"
	"github.com/chatshipper/gateway/bench/internal/report"
	"github.com/chatshipper/gateway/bench/internal/upstream"
)

// upstreamCommand runs this program as the upstream.
const upstreamCommand = "upstream"

func main() {
	var err error
	if len(os.Args) == 3 && os.Args[1] == upstreamCommand {
		err = serveUpstream(os.Args[2])
	} else {
		err = run(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
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

// options are the command line.
type options struct {
	scenarios, peers, binary, write string
	rounds, seconds                 int
	quiet                           float64
	patience                        time.Duration
	smoke                           bool
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.scenarios, "scenarios", "", "ids of scenarios, with commas; empty means all")
	f.StringVar(&o.peers, "peers", "", "parts of names of peers, with commas; empty means all; the gateway always takes part")
	f.StringVar(&o.binary, "gateway", "", "binary of the gateway; empty builds it")
	f.StringVar(&o.write, "write", "", "document whose generated part to replace")
	f.IntVar(&o.rounds, "rounds", 12, "rounds that count")
	f.IntVar(&o.seconds, "seconds", 3, "seconds of load in each round, for each peer")
	f.Float64Var(&o.quiet, "quiet", 0.05, "share of the machine that others may use before a measurement is repeated")
	f.DurationVar(&o.patience, "patience", 10*time.Second, "how long to wait for a quiet machine before each measurement")
	f.BoolVar(&o.smoke, "smoke", false, "one round of one second of get, message, refused and large")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.smoke {
		o.rounds, o.seconds, o.scenarios, o.quiet, o.patience = 1, 1, "get,message,refused,large", 1, 0
	}
	if o.rounds < 1 || o.seconds < 1 || f.NArg() > 0 {
		return o, fmt.Errorf("cannot use %q: rounds and seconds begin at 1, and nothing follows the flags", args)
	}
	return o, nil
}

func run(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	chosen, err := choose(o.scenarios)
	if err != nil {
		return err
	}
	if err := debian.Install(os.Stdout); err != nil {
		return err
	}
	if o.binary == "" {
		o.binary = "../bin/gateway"
		if err := build(o.binary); err != nil {
			return err
		}
	}
	b := &bench{out: os.Stdout, peers: some(peer.All(o.binary), o.peers), rounds: o.rounds, seconds: o.seconds, quiet: o.quiet, patience: o.patience}
	if err := b.checkPolicies(); err != nil {
		return err
	}
	if err := b.start(); err != nil {
		return err
	}
	for i := range chosen {
		err := b.play(&chosen[i])
		if errors.Is(err, errNotReady) {
			b.leftOut = append(b.leftOut, fmt.Sprintf("%s: %v", chosen[i].title, err))
			fmt.Fprintln(b.out, "left out:", err)
		} else if err != nil {
			return err
		}
	}
	return b.publish(chosen, o, args)
}

// some picks the peers whose names have one of the given parts, and the gateway.
func some(all []peer.Peer, parts string) (chosen []peer.Peer) {
	for _, p := range all {
		wanted := p.Name == peer.Gateway
		for part := range strings.SplitSeq(parts, ",") {
			wanted = wanted || strings.Contains(strings.ToLower(p.Name), strings.ToLower(part))
		}
		if wanted {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// commandLine is how to repeat a run. Where the binary lay is nobody's business.
func commandLine(args []string) string {
	args = slices.Clone(args)
	if i := slices.Index(args, "-gateway"); i >= 0 && i+1 < len(args) {
		args[i+1] = "BINARY"
	}
	return strings.TrimSpace("go run . " + strings.Join(args, " "))
}

// publish prints the report, and writes it where it was asked for.
func (b *bench) publish(chosen []scenario, o options, args []string) error {
	d := report.Document{
		Samples: b.samples,
		Date:    time.Now().UTC().Format(time.DateOnly),
		Command: commandLine(args),
		About:   append(debian.Circumstances(o.binary), "Load: "+debian.First("wrk", "-v"), fmt.Sprintf("Rounds: %d, interleaved, each of %d s for each peer", o.rounds, o.seconds)),
		Subject: peer.Gateway,
		Checked: b.checked,
		LeftOut: b.leftOut,
		Starts:  b.starts,
	}
	for i := range chosen {
		if !slices.ContainsFunc(b.samples, func(s report.Sample) bool { return s.Scenario == chosen[i].id }) {
			continue
		}
		d.Scenarios = append(d.Scenarios, report.Scenario{ID: chosen[i].id, Title: chosen[i].title})
	}
	for i := range b.peers {
		d.Peers = append(d.Peers, b.peers[i].Name)
	}
	text := d.Markdown()
	fmt.Println("\n" + text)
	if o.write == "" {
		return nil
	}
	return report.Replace(o.write, text)
}
