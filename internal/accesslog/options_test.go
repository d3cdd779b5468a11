package accesslog

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// chosen counts the lines that n equal requests get.
func chosen(s *sampler, n int, e Entry) (lines int) {
	for range n {
		if yes, _ := s.choose(&e); yes {
			lines++
		}
	}
	return lines
}

// by is a request of a caller at a second, with a status and a decision.
func by(caller uint64, second int64, status int, decision string) Entry {
	return Entry{Time: second * int64(time.Second), Status: status, Decision: decision, Key: digest.ID{Hi: caller}}
}

func TestWhoGetsALine(t *testing.T) {
	f := func(o Options, e Entry, want int) {
		t.Helper()
		if got := chosen(newSampler(o), 100, e); got != want {
			t.Errorf("%+v: %d of 100 requests with %d %s got a line, want %d", o, got, e.Status, e.Decision, want)
		}
	}
	ordinary, refusal, broken := by(1, 0, 200, "admitted"), by(1, 0, 429, "refused"), by(1, 0, 503, "refused")
	f(Options{}, ordinary, 100)
	f(Options{OneIn: 1}, ordinary, 100)
	f(Options{OneIn: 10}, ordinary, 10)
	f(Options{OneIn: 1000}, ordinary, 1) // the first
	f(Options{OneIn: 10}, by(1, 0, 404, "admitted"), 10)
	f(Options{OneIn: 10}, by(1, 0, 200, "would_refuse"), 10)
	f(Options{OneIn: 10}, refusal, 100)
	f(Options{OneIn: 10, Refusals: 3}, refusal, 3)
	f(Options{OneIn: 10, Refusals: 3}, broken, 100)
	f(Options{OneIn: 10}, by(1, 0, 500, "admitted"), 100)
}

func TestRefusalsAreCountedForEachCallerAndMinute(t *testing.T) {
	s := newSampler(Options{OneIn: 1000, Refusals: 2})
	f := func(e Entry, want int) {
		t.Helper()
		if got := chosen(s, 5, e); got != want {
			t.Errorf("caller %d at %v: %d lines, want %d", e.Key.Hi, time.Duration(e.Time), got, want)
		}
	}
	f(by(1, 0, 429, "refused"), 2)
	f(by(2, 0, 429, "refused"), 2)
	f(by(1, 59, 429, "refused"), 0)
	f(by(1, 60, 429, "refused"), 2)
	f(Entry{Time: 60e9, Status: 429, Decision: "refused", IP: digest.ID{Hi: 9}}, 2) // no key
	f(Entry{Time: 60e9, Status: 429, Decision: "refused", IP: digest.ID{Hi: 9}}, 0)
}

// A flood of callers takes no more memory than so much, and no more lines than
// the sampling of everything else.
func TestManyCallersAreSampled(t *testing.T) {
	s := newSampler(Options{OneIn: 100, Refusals: 1})
	lines := 0
	for caller := range uint64(2 * maxCallers) {
		lines += chosen(s, 1, by(caller, 0, 429, "refused"))
	}
	if want := maxCallers + maxCallers/100; lines != want || len(s.counts) != maxCallers {
		t.Errorf("%d lines and %d callers, want %d and %d", lines, len(s.counts), want, maxCallers)
	}
}

func TestALineSaysHowManyItStandsFor(t *testing.T) {
	var s sink
	l := New(&s, JSON)
	l.Configure(Options{OneIn: 5})
	for range 10 {
		l.Write(&Entry{Status: 200})
	}
	l.Write(&Entry{Status: 500})
	closed(t, l)
	if n := strings.Count(s.got.String(), `"one_in":5`); n != 2 || strings.Count(s.got.String(), "\n") != 3 || l.Skipped() != 8 || l.Dropped() != 0 {
		t.Errorf("%d lines stand for more, %d requests were skipped:\n%s", n, l.Skipped(), s.got.String())
	}
}

func TestAnAddressIsWrittenOnlyWhenAsked(t *testing.T) {
	f := func(address string, show bool, want string) {
		t.Helper()
		for _, format := range []Format{JSON, Text} {
			var s sink
			l := New(&s, format)
			l.Configure(Options{ClientIP: show})
			e := Entry{Status: 200}
			if address != "" {
				e.Client = netip.MustParseAddr(address)
			}
			l.Write(&e)
			closed(t, l)
			part := ""
			if want != "" {
				part = map[Format]string{JSON: fmt.Sprintf(`"client_ip":%q`, want), Text: " client_ip=" + want + " "}[format]
			}
			if got := s.got.String(); !strings.Contains(got, part) || part == "" && strings.Contains(got, "client_ip") {
				t.Errorf("%q: got %q, want %q in it", address, got, part)
			}
		}
	}
	f("203.0.113.7", false, "")
	f("203.0.113.7", true, "203.0.113.7")
	f("2001:db8::1", true, "2001:db8::1")
	f("", true, "")
}

func BenchmarkSampling(b *testing.B) {
	l := New(io.Discard, JSON)
	l.Configure(Options{OneIn: 100, Refusals: 5})
	e := refused()
	b.ReportAllocs()
	for b.Loop() {
		l.Write(&e)
	}
	_ = l.Close()
}
