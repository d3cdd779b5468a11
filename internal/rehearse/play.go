package rehearse

import (
	"fmt"
	"strings"
	"time"
)

// Failure is one request that was not answered as expected.
type Failure struct {
	Step     int           // index in the timeline
	At       time.Duration // since the case began
	Number   int           // of the request in its case, from 1
	Request  string        // method and target
	Expected string
	Got      string
	Counters []Counter // at that instant
}

// Outcome is what playing a case showed.
type Outcome struct {
	Requests int
	Spans    time.Duration // of virtual time
	Failures []Failure     // at most one for each step: what follows of a repetition mostly follows from it
}

// Play plays a case from empty counts.
func (h *House) Play(c *Case) (o Outcome) {
	h.Forget()
	for i := range c.Timeline {
		s := &c.Timeline[i]
		o.Spans = max(o.Spans, s.end())
		if s.isReply() {
			h.Reply(epoch+int64(s.At), epoch+int64(s.Reply.Written), s.Reply.Conversation)
			continue
		}
		asked := s.Asked.over(c.Requests).over(Default)
		failed := false
		for n := range s.times() {
			o.Requests++
			at := s.At + time.Duration(n)*s.Every
			r := asked.request(o.Requests)
			answer := h.Ask(epoch+int64(at), &r)
			if !failed && !s.Expect.fits(&answer) {
				failed = true
				o.Failures = append(o.Failures, Failure{
					Step: i, At: at, Number: o.Requests, Request: r.Method + " " + r.Target,
					Expected: s.Expect.String(), Got: s.Expect.got(&answer), Counters: answer.Counters,
				})
			}
		}
	}
	return o
}

// fits reports whether an answer is as expected.
func (e *Expect) fits(a *Answer) bool {
	return (e.Status == 0 || e.Status == a.Status) &&
		isOrNone(e.Rule, a.Rule) && isOrNone(e.Shadow, a.Shadow) &&
		(e.Code == "" || e.Code == a.Code) &&
		(e.Decision == "" || e.Decision == a.Decision) &&
		(e.RetryAfter == 0 || e.RetryAfter == a.RetryAfter) &&
		strings.Contains(a.Message, e.Message)
}

// isOrNone compares a rule with the expected one.
func isOrNone(want, got string) bool { return want == "" || want == got || want == noRule && got == "" }

// String is what is expected, in words.
func (e *Expect) String() string { return e.inWords() }

// got is the answer in the same words. The message is told only where one was
// expected: it says in a sentence what the others say in numbers.
func (e *Expect) got(a *Answer) string {
	got := Expect{Status: a.Status, Rule: a.Rule, Code: a.Code, Decision: a.Decision, Shadow: a.Shadow, RetryAfter: a.RetryAfter}
	if e.Message != "" {
		got.Message = a.Message
	}
	return got.inWords()
}

func (e *Expect) inWords() string {
	var words []string
	add := func(format string, value any, is bool) {
		if is {
			words = append(words, fmt.Sprintf(format, value))
		}
	}
	add("%d", e.Status, e.Status != 0)
	add("%s", e.Code, e.Code != "")
	add("rule %s", e.Rule, e.Rule != "")
	add("%s", e.Decision, e.Decision != "" && (e.Decision != Admitted || e.Status == 0))
	add("shadow %s", e.Shadow, e.Shadow != "")
	add("Retry-After %d", e.RetryAfter, e.RetryAfter != 0)
	add("%q", e.Message, e.Message != "")
	return strings.Join(words, ", ")
}
