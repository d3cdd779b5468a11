package rehearse

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Suite is a file of cases.
type Suite struct {
	Config string `yaml:"config"` // configuration of every case, relative to the file; empty: the defaults
	Cases  []Case `yaml:"cases"`
}

// Case is one timeline, which begins with empty counts.
type Case struct {
	Name     string `yaml:"name"`
	Config   string `yaml:"config"` // in place of the suite's
	Requests Asked  `yaml:"requests"`
	Timeline []Step `yaml:"timeline"`
}

// Step is one instant of a timeline: a request, once or repeated, or a reply
// that the gateway hears of by webhook. What a request leaves out is taken from
// the case's `requests`, and then from Default.
type Step struct {
	At     time.Duration `yaml:"at"`     // since the case began; never earlier than the step before
	Repeat int           `yaml:"repeat"` // how often; 0 and 1 are once
	Every  time.Duration `yaml:"every"`  // between repetitions; 0 is all at one instant
	Asked  Asked         `yaml:"request"`
	Reply  Heard         `yaml:"reply"`
	Expect Expect        `yaml:"expect"`
}

// Asked is what a request looks like. In the texts, {n} stands for the number of
// the request in its case, from 1, so that repeated requests can differ.
type Asked struct {
	IP       string `yaml:"ip"`
	Key      string `yaml:"key"`  // bearer token
	User     string `yaml:"user"` // the user's id, as if the key had been verified
	Role     string `yaml:"role"` // bot, human or nobody; empty: what configuration and key say
	Method   string `yaml:"method"`
	Path     string `yaml:"path"` // with a query, where there is one
	Body     string `yaml:"body"`
	Upstream string `yaml:"upstream"` // its status, timeout (it may have acted) or unreachable
	Answer   string `yaml:"answer"`   // the body of its answer
}

// Heard is a reply of which the webhook tells at the time of its step.
type Heard struct {
	Conversation string        `yaml:"conversation"`
	Written      time.Duration `yaml:"written"` // when, since the case began
}

// Expect is what an answer must be. What is left out is not looked at, but an
// empty `expect` must not stand there: a step without one only sets the scene.
type Expect struct {
	Status     int    `yaml:"status"`
	Rule       string `yaml:"rule"` // that refused, or in shadow mode would have; none for no rule
	Code       string `yaml:"code"`
	Decision   string `yaml:"decision"`    // admitted, refused or would_refuse
	Shadow     string `yaml:"shadow"`      // the candidate that would have refused, such as per_ip_shadow; none for no candidate
	RetryAfter int    `yaml:"retry_after"` // seconds
	Message    string `yaml:"message"`     // words that the answer's message holds
}

// Default is the request of a step that says nothing.
var Default = Asked{IP: "192.0.2.1", Method: "GET", Path: "/v2/ping"}

const post = "POST" // what creates something

// The words for a request without an answer.
const (
	timeout     = "timeout"
	unreachable = "unreachable"
)

// over fills what a leaves out from b.
func (a Asked) over(b Asked) Asked {
	for _, f := range []struct {
		own   *string
		other string
	}{
		{&a.IP, b.IP},
		{&a.Key, b.Key},
		{&a.User, b.User},
		{&a.Role, b.Role},
		{&a.Method, b.Method},
		{&a.Path, b.Path},
		{&a.Body, b.Body},
		{&a.Upstream, b.Upstream},
		{&a.Answer, b.Answer},
	} {
		if *f.own == "" {
			*f.own = f.other
		}
	}
	return a
}

// request makes the n-th request of a case.
func (a Asked) request(n int) Request {
	number := strings.NewReplacer("{n}", strconv.Itoa(n))
	r := Request{
		Key: number.Replace(a.Key), User: number.Replace(a.User), Role: a.Role,
		Method: a.Method, Target: number.Replace(a.Path),
		Body: []byte(number.Replace(a.Body)), Answer: []byte(number.Replace(a.Answer)),
		Fate: a.fate(),
	}
	r.Client, _ = netip.ParseAddr(number.Replace(a.IP)) // validated; a number too large for an address is no address
	if r.Key == "" && r.Role != "" && r.Role != "nobody" {
		r.Key = r.Role // somebody has to be it
	}
	return r
}

// fate is what becomes of a request that is forwarded: without a word, 201 for
// what a POST creates and 200 for everything else.
func (a Asked) fate() Fate {
	switch a.Upstream {
	case timeout:
		return Fate{Reached: true}
	case unreachable:
		return Fate{}
	case "":
		if a.Method == post {
			return Fate{Status: 201}
		}
		return Fate{Status: 200}
	}
	status, _ := strconv.Atoi(a.Upstream) // validated
	return Fate{Status: status}
}

// isReply reports whether the step is a webhook's report.
func (s *Step) isReply() bool { return s.Reply.Conversation != "" }

// times is how often the step happens.
func (s *Step) times() int { return max(1, s.Repeat) }

// end is when the step is over.
func (s *Step) end() time.Duration { return s.At + s.Every*time.Duration(s.times()-1) }
