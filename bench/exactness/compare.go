package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/chatshipper/gateway/bench/internal/debian"
	"github.com/chatshipper/gateway/bench/internal/exact"
	"github.com/chatshipper/gateway/bench/internal/peer"
	"github.com/chatshipper/gateway/bench/internal/report"
	"github.com/chatshipper/gateway/bench/internal/upstream"
)

// perIP lets the checks pass, which all come from one address.
const perIP = 100_000

// compare runs the checks on everything that can be had here.
func compare(o options, args []string, out io.Writer) error {
	if err := debian.Install(out); err != nil {
		return err
	}
	up, err := upstream.Listen(0)
	if err != nil {
		return err
	}
	go func() { _ = up.Serve() }() // ends with this process
	limiters := peer.Limiters(o.binary)
	found := map[string][]exact.Result{}
	for _, l := range limiters {
		results, err := examineLimiter(&l, up.Addr(), o)
		if err != nil {
			return fmt.Errorf("cannot examine %s: %w", l.Name, err)
		}
		found[l.Name] = results
		for _, r := range results {
			fmt.Fprintf(out, "%-20s %-13s %-42s worst window %d, %d wrong refusals. %s\n", l.Name, r.Check, r.Verdict, r.Worst, r.Wrong, r.Detail)
		}
	}
	text := markdown(limiters, found, debian.Circumstances(o.binary), "go run ./exactness "+strings.Join(args, " "))
	if o.write == "" {
		return nil
	}
	return report.Replace(o.write, text)
}

func examineLimiter(l *peer.Limiter, upstream string, o options) ([]exact.Result, error) {
	i, err := l.Start(peer.Settings{Upstream: upstream, PerIP: perIP, Cores: "0,1"})
	if err != nil {
		return nil, err
	}
	defer i.Stop()
	o.url = "http://" + i.Addr + "/v2/contacts"
	return examine(o, func() error { return i.Signal(l.Reload) })
}

func markdown(limiters []peer.Limiter, found map[string][]exact.Result, about []string, command string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Found on %s with `%s` in `bench/`.\n\n", time.Now().UTC().Format(time.DateOnly), strings.TrimSpace(command))
	for _, line := range about {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteString("\n| check |")
	rule := "|---|"
	for _, l := range limiters {
		fmt.Fprintf(&b, " %s |", l.Name)
		rule += "---|"
	}
	b.WriteString("\n" + rule + "\n| configured |")
	for _, l := range limiters {
		fmt.Fprintf(&b, " %s |", l.How)
	}
	b.WriteString("\n")
	for n := range found[limiters[0].Name] {
		fmt.Fprintf(&b, "| %s |", found[limiters[0].Name][n].Check)
		for _, l := range limiters {
			fmt.Fprintf(&b, " %s |", cell(found[l.Name][n]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// cell is a verdict with what it rests on.
func cell(r exact.Result) string {
	text := fmt.Sprintf("**%s**; worst window %d", r.Verdict, r.Worst)
	if r.Wrong > 0 {
		text += fmt.Sprintf(", %d wrong refusals", r.Wrong)
	}
	if r.Detail != "" {
		text += "; " + r.Detail
	}
	return text
}
