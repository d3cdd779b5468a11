package rehearse

import (
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/chatshipper/gateway/internal/topk"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// Shown is how a report is written.
type Shown struct {
	Names     []string // of the configurations
	Top       int      // how many of the most refused
	Addresses bool     // show clients of a log with addresses in clear
}

// WriteReport writes what a simulation showed, for people. It returns the
// error of the writer.
func (s *Simulation) WriteReport(w io.Writer, how Shown) error {
	r := report{Simulation: s, how: how}
	r.printf("%s lines: %s requests", count(s.Lines), count(s.Judged))
	if s.Judged > 0 {
		r.printf(" from %s to %s (%s)", instant(s.first), instant(s.last), time.Duration(s.last-s.first).Round(time.Second))
	}
	r.printf(", %s malformed, %s of something else\n\n", count(s.Malformed), count(s.Foreign))
	r.table()
	r.differences()
	for i := range s.sides {
		r.list("Most refused by "+how.Names[i], s.sides[i].top)
	}
	r.notes()
	_, err := io.WriteString(w, r.text.String())
	return err
}

type report struct {
	*Simulation
	how  Shown
	text strings.Builder
}

func (r *report) printf(format string, args ...any) { fmt.Fprintf(&r.text, format, args...) }

// table has a column for what the log tells and one for each configuration.
func (r *report) table() {
	row := func(name string, cells ...string) {
		line := fmt.Sprintf("%-30s", name)
		for i, width := range r.widths() {
			line += fmt.Sprintf("  %*s", width, cells[i])
		}
		r.printf("%s\n", strings.TrimRight(line, " "))
	}
	row("", append([]string{inTheLog}, r.how.Names...)...)
	row("admitted", r.cells(count(r.logged[nobody]), func(s *side) uint64 { return s.refused[nobody] })...)
	for rule := perIP; rule < ruleNames; rule++ {
		row("refused by "+rule.String(), r.cells(count(r.logged[rule]), func(s *side) uint64 { return s.refused[rule] })...)
	}
	for rule := perIP; rule < ruleNames; rule++ {
		if of := func(s *side) uint64 { return s.would[rule] }; r.any(of) {
			row("would refuse: "+rule.String(), r.cells("", of)...)
		}
		if of := func(s *side) uint64 { return s.tried[rule] }; r.any(of) {
			row("would refuse: "+rule.String()+"_shadow", r.cells("", of)...)
		}
	}
}

const inTheLog = "in the log"

// widths are those of the columns of numbers.
func (r *report) widths() []int {
	widths := []int{max(len(inTheLog), len(count(r.Judged)))}
	for _, name := range r.how.Names {
		widths = append(widths, max(len(name), len(count(r.Judged))))
	}
	return widths
}

func (r *report) cells(logged string, of func(s *side) uint64) []string {
	cells := []string{logged}
	for i := range r.sides {
		cells = append(cells, count(of(&r.sides[i])))
	}
	return cells
}

// any reports whether there is anything to count.
func (r *report) any(of func(s *side) uint64) bool {
	for i := range r.sides {
		if of(&r.sides[i]) > 0 {
			return true
		}
	}
	return false
}

// differences says where the first configuration decides otherwise than the
// second.
func (r *report) differences() {
	if len(r.sides) < 2 {
		return
	}
	r.printf("\nWhere %s differs from %s\n", r.how.Names[0], r.how.Names[1])
	same := true
	for was := range r.changed {
		for is, n := range r.changed[was] {
			if n > 0 {
				same = false
				r.printf("  %12s  %s, %s\n", count(n), inPast(ruleName(was)), inFuture(ruleName(is)))
			}
		}
	}
	if same {
		r.printf("  nowhere: every request is decided alike\n")
	}
	r.list("Most refused by "+r.how.Names[0]+" only", r.worse)
	r.list("Most refused by "+r.how.Names[1]+" only", r.better)
}

func inPast(rule ruleName) string {
	if rule == nobody {
		return "admitted before"
	}
	return "refused before by " + rule.String()
}

func inFuture(rule ruleName) string {
	if rule == nobody {
		return "admitted now"
	}
	return "refused now by " + rule.String()
}

func (r *report) list(title string, sketch *topk.Sketch[culprit]) {
	items := sketch.Top(r.how.Top)
	if len(items) == 0 {
		return
	}
	r.printf("\n%s\n", title)
	for _, item := range items {
		about := ""
		if item.Error > 0 {
			about = fmt.Sprintf("  (at most %s too many)", count(item.Error))
		}
		r.printf("  %12s  %-11s  %s%s\n", count(item.Count), item.Key.rule, r.whom(item.Key), about)
	}
}

// whom names a culprit as the log does, or by a digest where the log has an
// address.
func (r *report) whom(c culprit) string {
	switch c.rule {
	case perIP:
		if !r.parser.paths {
			return "ip " + short(c.a)
		}
		if r.how.Addresses {
			return "ip " + addressOf(c).String()
		}
		return "ip " + r.houses[0].hasher.Sum(addressOf(c).AsSlice()).Short()
	case perKey:
		return "key " + short(c.a)
	}
	return "conversation " + short(c.a) + ", bot " + short(c.b)
}

func short(m uint64) string { return fmt.Sprintf("%012x", m) }

func addressOf(c culprit) netip.Addr {
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(c.a>>(56-8*i)), byte(c.b>>(56-8*i))
	}
	return netip.AddrFrom16(b).Unmap()
}

// notes says what the log or the memory could not tell.
func (r *report) notes() {
	notes := r.notesOfLog()
	for i, h := range r.houses {
		var lost uint64
		for rule := range limiter.Rule(2) {
			lost += h.requests.EvictedLive(rule)
		}
		for rule := range loopguard.Rule(loopguard.RuleCount) {
			lost += h.messages.EvictedLive(rule)
		}
		if lost > 0 {
			notes = append(notes, fmt.Sprintf("The counts of %s had no room for %s, forgotten too early: raise store.memory.max_bytes.", r.how.Names[i], plural(lost, "client, key or conversation", "clients, keys or conversations")))
		}
		if n := h.unnamedOverrides(r.parser.marks); n > 0 {
			notes = append(notes, fmt.Sprintf("%s of %s could not be applied: a log names neither keys nor users, and ours no addresses. Those requests were judged by the general limit.", plural(uint64(n), "override or exemption", "overrides and exemptions"), r.how.Names[i]))
		}
	}
	for i, note := range notes {
		if i == 0 {
			r.printf("\n")
		}
		r.printf("note: %s\n", note)
	}
}

func (r *report) notesOfLog() (notes []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if r.queue.jumbled > 0 {
		note("%s in the log before the one above. All were judged in the order of their times.", plural(r.queue.jumbled, "request began", "requests began"))
	}
	if r.queue.late > 0 {
		note("%s more than a minute, or %s lines, below later ones, and were judged as if they had happened then.", plural(r.queue.late, "request stands", "requests stand"), count(holdMost))
	}
	if r.parser.rough {
		note("The times of this log are whole seconds: a limit with a window of a few seconds is judged as if requests came at the beginning of their second.")
	}
	if r.parser.paths && r.messages == 0 {
		note("This log tells nothing of messages: the message limits were not judged.")
	}
	if r.arrays > 0 {
		note("%s several messages, which were counted for the conversation of the first, and as different ones.", plural(r.arrays, "request holds", "requests hold"))
	}
	return notes
}

// unnamedOverrides counts what names somebody whom the log does not name.
func (h *House) unnamedOverrides(marks bool) (n int) {
	for i := range h.cfg.Limits.Overrides {
		if h.cfg.Limits.Overrides[i].CIDR == "" || marks {
			n++
		}
	}
	if marks {
		n += len(h.cfg.Limits.Exempt)
	}
	return n
}

func instant(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05.000Z") }

func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// count writes a number with commas.
func count(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
