package rehearse

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const (
	maxRepeat = 1_000_000
	maxAt     = 366 * 24 * time.Hour
)

// Validate reports every mistake, with its path inside the file.
func (s *Suite) Validate(report func(path, problem string)) {
	if len(s.Cases) == 0 {
		report("cases", "must hold at least one case")
	}
	names := make(map[string]int)
	for i := range s.Cases {
		c, path := &s.Cases[i], fmt.Sprintf("cases[%d]", i)
		if first, again := names[c.Name]; c.Name == "" {
			report(path+".name", "must say what the case shows")
		} else if again {
			report(path+".name", fmt.Sprintf("must be unique, but cases[%d] has it too", first))
		}
		names[c.Name] = i
		c.validate(path, report)
	}
}

func (c *Case) validate(path string, report func(path, problem string)) {
	c.Requests.validate(path+".requests", report)
	if len(c.Timeline) == 0 {
		report(path+".timeline", "must hold at least one step")
	}
	var now time.Duration
	expects := false
	for i := range c.Timeline {
		s, at := &c.Timeline[i], fmt.Sprintf("%s.timeline[%d]", path, i)
		if s.At < now {
			report(at+".at", fmt.Sprintf("must not be earlier than the step before ends, which is at %s", now))
		}
		s.validate(at, report)
		now = max(now, s.end())
		expects = expects || s.Expect != Expect{}
	}
	if len(c.Timeline) > 0 && !expects {
		report(path+".timeline", "must expect something of at least one step, else the case can't fail")
	}
}

func (s *Step) validate(path string, report func(path, problem string)) {
	if s.At > maxAt {
		report(path+".at", fmt.Sprintf("must be at most a year, got %s", s.At))
	}
	if s.Repeat < 0 || s.Repeat > maxRepeat {
		report(path+".repeat", fmt.Sprintf("must be from 1 to %d, got %d", maxRepeat, s.Repeat))
	}
	if s.Every < 0 || s.Every > maxAt/time.Duration(s.times()) {
		report(path+".every", fmt.Sprintf("must be at least 0s, and all repetitions within a year, got %s", s.Every))
	}
	s.Asked.validate(path+".request", report)
	s.Expect.validate(path+".expect", report)
	if !s.isReply() {
		if s.Reply.Written != 0 {
			report(path+".reply.conversation", "must say where the reply was written")
		}
		return
	}
	if s.Asked != (Asked{}) || s.Expect != (Expect{}) || s.Repeat > 1 {
		report(path+".reply", "must stand alone: a reply is no request, and nothing can be expected of it")
	}
	if s.Reply.Written < 0 {
		report(path+".reply.written", fmt.Sprintf("must be at least 0s, got %s", s.Reply.Written))
	}
}

func (a *Asked) validate(path string, report func(path, problem string)) {
	if a.IP != "" {
		if _, err := netip.ParseAddr(strings.ReplaceAll(a.IP, "{n}", "1")); err != nil {
			report(path+".ip", fmt.Sprintf("must be an address such as 192.0.2.1, got %q", a.IP))
		}
	}
	oneOf(path+".role", a.Role, report, "bot", "human", "nobody")
	if a.Path != "" && !strings.HasPrefix(a.Path, "/") {
		report(path+".path", fmt.Sprintf("must start with /, got %q", a.Path))
	}
	if a.Upstream != "" && a.Upstream != timeout && a.Upstream != unreachable && !isStatus(a.Upstream) {
		report(path+".upstream", fmt.Sprintf("must be a status such as 201, or timeout, or unreachable, got %q", a.Upstream))
	}
}

func (e *Expect) validate(path string, report func(path, problem string)) {
	if e.Status != 0 && (e.Status < 200 || e.Status > 599) {
		report(path+".status", fmt.Sprintf("must be from 200 to 599, got %d", e.Status))
	}
	oneOf(path+".rule", e.Rule, report, "per_ip", "per_key", "identical", "consecutive", noRule)
	oneOf(path+".decision", e.Decision, report, Admitted, Refused, WouldRefuse)
	oneOf(path+".shadow", e.Shadow, report, "per_ip_shadow", "per_key_shadow", "identical_shadow", "consecutive_shadow", noRule)
	if e.RetryAfter < 0 {
		report(path+".retry_after", fmt.Sprintf("must be at least 1, got %d", e.RetryAfter))
	}
}

// noRule is how an expectation says that no rule decided.
const noRule = "none"

func isStatus(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && len(text) == 3 && n >= 200 && n <= 599
}

// oneOf reports a word that is set and none of the known ones.
func oneOf(path, word string, report func(path, problem string), known ...string) {
	if word == "" {
		return
	}
	for _, k := range known {
		if k == word {
			return
		}
	}
	last := len(known) - 1
	report(path, fmt.Sprintf("must be %s or %s, got %q", strings.Join(known[:last], ", "), known[last], word))
}
