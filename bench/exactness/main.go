// Command exactness finds out how exactly any HTTP gateway keeps a limit of
// requests per key and window, from the outside.
//
//	exactness -url http://127.0.0.1:8080/v2/ping -header 'Authorization: Bearer {key}' -limit 20 -window 1s \
//	    -reload 'kill -HUP 4711'
//
// The five checks: burst (the limit at once, no more, no less), boundary (bursts
// around the places where fixed windows and estimates go wrong), concurrency (many
// connections on one key), refused cost (whether refused requests prolong the
// refusal), reload (whether loading the configuration forgets the counts). It
// exits 1 when a check finds that the limit is not exact.
//
// With -compare it starts the gateway, HAProxy, nginx and Caddy with the same nominal
// limit, and writes the table of docs/exactness.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chatshipper/gateway/bench/internal/exact"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, errNotExact):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "exactness:", err)
		os.Exit(2)
	}
}

var errNotExact = errors.New("the limit is not exact")

type options struct {
	url, header, refused, reload string
	limit                        exact.Limit
	concurrency                  int
	compare                      bool
	binary, write                string
}

func parse(args []string, out io.Writer) (o options, err error) {
	f := flag.NewFlagSet("exactness", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&o.url, "url", "", "address that a GET is answered on with a success")
	f.StringVar(&o.header, "header", "Authorization: Bearer {key}", "header that the gateway limits by")
	f.StringVar(&o.refused, "refused", "429", "statuses of a refusal, with commas")
	f.StringVar(&o.reload, "reload", "", "shell command that makes the gateway load its configuration again")
	f.IntVar(&o.limit.Requests, "limit", 20, "requests in any window")
	f.DurationVar(&o.limit.Window, "window", time.Second, "the window")
	f.IntVar(&o.concurrency, "concurrency", 32, "connections at once")
	f.BoolVar(&o.compare, "compare", false, "start the gateway, HAProxy, nginx and Caddy here, and compare them")
	f.StringVar(&o.binary, "gateway", "../bin/gateway", "with -compare: binary of the gateway")
	f.StringVar(&o.write, "write", "", "with -compare: document whose generated part to replace")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("cannot use %q: nothing follows the flags", f.Args())
	case o.url == "" && !o.compare:
		return o, fmt.Errorf("cannot begin without -url or -compare")
	case o.limit.Requests < 2 || o.limit.Window <= 0 || o.concurrency < 1:
		return o, fmt.Errorf("cannot use a limit below 2, a window that is not positive, or no connection")
	case o.compare && o.limit != exact.Limit{Requests: 20, Window: time.Second}:
		return o, fmt.Errorf("cannot compare with another limit than 20 in 1s, which stands in the configurations")
	}
	return o, nil
}

func run(args []string, out io.Writer) error {
	o, err := parse(args, out)
	if err != nil {
		return err
	}
	if o.compare {
		return compare(o, args, out)
	}
	results, err := examine(o, shell(o.reload))
	if err != nil {
		return err
	}
	exactly := true
	for _, r := range results {
		fmt.Fprintf(out, "%-13s %-42s worst window %d of %d, %d wrong refusals. %s\n", r.Check, r.Verdict, r.Worst, o.limit.Requests, r.Wrong, r.Detail)
		exactly = exactly && slices.Contains([]exact.Verdict{exact.Exact, exact.Kept, exact.NotRun}, r.Verdict)
	}
	if !exactly {
		return errNotExact
	}
	return nil
}

// examine runs the checks on what o names.
func examine(o options, reload func() error) ([]exact.Result, error) {
	var refused []int
	for status := range strings.SplitSeq(o.refused, ",") {
		n, err := strconv.Atoi(status)
		if err != nil {
			return nil, fmt.Errorf("cannot read the status %q", status)
		}
		refused = append(refused, n)
	}
	t, err := newTarget(o.url, o.header, refused, o.concurrency)
	if err != nil {
		return nil, err
	}
	if command := reload; command != nil {
		reload = func() error {
			// What is open may belong to the old configuration for as long as it is.
			defer t.client.CloseIdleConnections()
			return command()
		}
	}
	k := exact.Kit{
		Send: t.send, Limit: o.limit, Concurrency: o.concurrency, Reload: reload,
		Prefix: fmt.Sprintf("exactness-%x", time.Now().UnixNano()),
	}
	return k.Run()
}

// shell makes a hook of a command; nil of none.
func shell(command string) func() error {
	if command == "" {
		return nil
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if out, err := exec.CommandContext(ctx, "sh", "-c", command).CombinedOutput(); err != nil {
			return fmt.Errorf("cannot run %q: %w: %s", command, err, strings.TrimSpace(string(out)))
		}
		return nil
	}
}
