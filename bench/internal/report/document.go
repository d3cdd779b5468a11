package report

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Scenario is a kind of work, as tables name it.
type Scenario struct{ ID, Title string }

// Start is one start of a peer.
type Start struct {
	Peer     string
	Answered time.Duration // from the start of the process to the first answer
	Memory   float64       // bytes
}

// Document is a report.
type Document struct {
	Samples   []Sample
	Scenarios []Scenario
	Peers     []string
	Subject   string   // the peer whose ratios to the others are given
	Date      string   // of the run
	Command   string   // that repeats it
	About     []string // machine, versions
	Checked   []string // what was made sure of beforehand
	LeftOut   []string // work that was not measured, and why
	Starts    []Start
}

// Markdown is the generated part of the document.
func (d *Document) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s with `%s` in `bench/`.\n\n", d.Date, d.Command)
	for _, line := range d.About {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteString("\nChecked before measuring:\n\n")
	for _, line := range d.Checked {
		fmt.Fprintf(&b, "- %s.\n", line)
	}
	d.writeRatios(&b)
	for _, s := range d.Scenarios {
		d.writeScenario(&b, s)
	}
	d.writeStarts(&b)
	d.writeDiscarded(&b)
	return b.String()
}

func (d *Document) writeStarts(b *strings.Builder) {
	if len(d.Starts) == 0 {
		return
	}
	b.WriteString("\n### Start\n\n| | ms from start to first answer | memory MB 0.2 s later | starts |\n|---|---|---|---|\n")
	for _, peer := range d.Peers {
		var took, memory []float64
		for _, s := range d.Starts {
			if s.Peer == peer {
				took, memory = append(took, float64(s.Answered.Microseconds())/1e3), append(memory, s.Memory/1e6)
			}
		}
		if len(took) > 0 {
			fmt.Fprintf(b, "| %s | %.1f | %.1f | %d |\n", peer, median(took), median(memory), len(took))
		}
	}
}

// present tells whether any sample of a peer counts.
func (d *Document) present(scenario, peer string) bool {
	_, n := Median(d.Samples, scenario, peer, cpu)
	return n > 0
}

func (d *Document) writeRatios(b *strings.Builder) {
	fmt.Fprintf(b, "\n### Processor time of the %s for a request, divided by the peer's\n\n", d.Subject)
	b.WriteString("Medians of the same run. Below 1 the " + d.Subject + " is cheaper. In brackets: the target, where there is one.\n\n| work |")
	rule := "|---|"
	for _, peer := range d.Peers {
		if peer != d.Subject {
			fmt.Fprintf(b, " ÷ %s |", peer)
			rule += "---|"
		}
	}
	b.WriteString("\n" + rule + "\n")
	for _, s := range d.Scenarios {
		cells, compared := "", false
		for _, peer := range d.Peers {
			if peer != d.Subject {
				ratio := Ratio(d.Samples, s.ID, d.Subject, peer)
				cells += " " + ratioCell(s.ID, peer, ratio) + " |"
				compared = compared || ratio > 0
			}
		}
		if compared { // else nobody but the subject did it
			fmt.Fprintf(b, "| %s |%s\n", s.Title, cells)
		}
	}
}

func ratioCell(scenario, peer string, ratio float64) string {
	if ratio == 0 {
		return "–"
	}
	target, ok := targets[scenario][peer]
	switch {
	case !ok:
		return fmt.Sprintf("%.2f", ratio)
	case ratio <= target:
		return fmt.Sprintf("**%.2f** (≤ %.2f)", ratio, target)
	}
	return fmt.Sprintf("%.2f (≤ %.2f: missed)", ratio, target)
}

func (d *Document) writeScenario(b *strings.Builder, s Scenario) {
	fmt.Fprintf(b, "\n### %s\n\n", s.Title)
	b.WriteString("| | CPU µs/request | requests/s | p50 µs | p99 µs | p99.9 µs | memory MB | rounds |\n|---|---|---|---|---|---|---|---|\n")
	for _, peer := range d.Peers {
		if !d.present(s.ID, peer) {
			continue
		}
		fmt.Fprintf(b, "| %s |", peer)
		var n int
		for _, c := range columns {
			var m float64
			m, n = Median(d.Samples, s.ID, peer, c.value)
			fmt.Fprintf(b, " %.*f |", c.decimals, m)
		}
		fmt.Fprintf(b, " %d |\n", n)
	}
}

var columns = []struct {
	value    Column
	decimals int
}{
	{cpu, 1},
	{func(s *Sample) float64 { return s.PerSecond }, 0},
	{func(s *Sample) float64 { return s.P50 }, 0},
	{func(s *Sample) float64 { return s.P99 }, 0},
	{func(s *Sample) float64 { return s.P999 }, 0},
	{func(s *Sample) float64 { return s.Memory / 1e6 }, 1},
}

func (d *Document) writeDiscarded(b *strings.Builder) {
	b.WriteString("\n### Rounds that do not count\n\n")
	n, others := 0, 0.0
	for i := range d.Samples {
		s := &d.Samples[i]
		others += s.Others
		if s.Discarded != "" {
			n++
			fmt.Fprintf(b, "- %s, %s, round %d: %s\n", s.Scenario, s.Peer, s.Round, s.Discarded)
		}
	}
	if n == 0 {
		b.WriteString("None: every answer had the expected status, and the upstream saw every request that was answered.\n")
	}
	for _, line := range d.LeftOut {
		fmt.Fprintf(b, "\nNot measured: %s\n", line)
	}
	if len(d.Samples) > 0 {
		fmt.Fprintf(b, "\nOther processes used %.1f %% of the machine on average while this was measured.\n", 100*others/float64(len(d.Samples)))
	}
}

// The generated part of a document stands between these lines; the rest is
// written by hand and stays.
const (
	begin = "<!-- generated: begin -->\n"
	end   = "<!-- generated: end -->\n"
)

// Replace puts text between the marks of a document.
func Replace(path, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot read the document: %w", err)
	}
	before, rest, found := strings.Cut(string(old), begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		return fmt.Errorf("cannot find the lines %q and %q in %s", strings.TrimSpace(begin), strings.TrimSpace(end), path)
	}
	if err := os.WriteFile(path, []byte(before+begin+text+end+after), 0o644); err != nil {
		return fmt.Errorf("cannot write the document: %w", err)
	}
	return nil
}
