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
		(e.Rule == "" || e.Rule == a.Rule || e.Rule == noRule && a.Rule == "") &&
		(e.Code == "" || e.Code == a.Code) &&
		(e.Decision == "" || e.Decision == a.Decision) &&
		(e.RetryAfter == 0 || e.RetryAfter == a.RetryAfter) &&
		strings.Contains(a.Message, e.Message)
}

// String is what is expected, in words.
func (e *Expect) String() string {
	return inWords(e.Status, e.Code, e.Rule, e.Decision, e.RetryAfter, e.Message)
}

// got is the answer in the same words. The message is told only where one was
// expected: it says in a sentence what the others say in numbers.
func (e *Expect) got(a *Answer) string {
	message := ""
	if e.Message != "" {
		message = a.Message
	}
	return inWords(a.Status, a.Code, a.Rule, a.Decision, a.RetryAfter, message)
}

func inWords(status int, code, rule, decision string, retryAfter int, message string) string {
	var words []string
	add := func(format string, value any, is bool) {
		if is {
			words = append(words, fmt.Sprintf(format, value))
		}
	}
	add("%d", status, status != 0)
	add("%s", code, code != "")
	add("rule %s", rule, rule != "")
	add("%s", decision, decision != "" && (decision != Admitted || status == 0))
	add("Retry-After %d", retryAfter, retryAfter != 0)
	add("%q", message, message != "")
	return strings.Join(words, ", ")
}
