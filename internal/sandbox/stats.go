package sandbox

import (
	"maps"
	"net/http"
	"strings"
	"sync"
)

// kept is how many of the last requests can be looked at.
const kept = 100

// stats counts what reached the API; requests below /sandbox do not count.
type stats struct {
	mu            sync.Mutex
	requests      int
	routes        map[string]int
	messages      int
	conversations map[string]int
	last          []request // a ring
	at            int       // where the oldest of the ring is, once it is full
}

type request struct {
	method, target, host, proto string
	length                      int64
	header                      http.Header
}

// Stats is what reached the sandbox since it was made or reset.
type Stats struct {
	Requests               int            // all but those below /sandbox
	Routes                 map[string]int // "POST /v2/contacts" → requests
	Messages               int            // messages created, whatever the way
	MessagesByConversation map[string]int // conversation id → messages created
}

// Stats reads the counters.
func (s *Sandbox) Stats() Stats {
	c := &s.stats
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{c.requests, maps.Clone(c.routes), c.messages, maps.Clone(c.conversations)}
}

// Requests is how many requests reached the API.
func (s *Sandbox) Requests() int { return s.Stats().Requests }

func (c *stats) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests, c.messages, c.at = 0, 0, 0
	c.routes, c.conversations, c.last = nil, nil, nil
}

func (c *stats) arrived(r *http.Request, template string) {
	q := request{r.Method, r.RequestURI, r.Host, r.Proto, r.ContentLength, r.Header.Clone()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if c.routes == nil {
		c.routes = map[string]int{}
	}
	c.routes[routeName(r.Method, template)]++
	if len(c.last) < kept {
		c.last = append(c.last, q)
		return
	}
	c.last[c.at] = q
	c.at = (c.at + 1) % kept
}

// routeName keeps the set of names small whatever methods strangers invent.
func routeName(method, template string) string {
	switch method {
	case "GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS":
		return method + " " + template
	}
	return "other " + template
}

func (c *stats) messageCreated(conversation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages++
	if c.conversations == nil {
		c.conversations = map[string]int{}
	}
	c.conversations[conversation]++
}

// showStats is GET /sandbox/stats.
func (s *Sandbox) showStats(*call) (answer, error) {
	st := s.Stats()
	return ok(obj("requests", st.Requests, "routes", counts(st.Routes),
		"messages", st.Messages, "messagesByConversation", counts(st.MessagesByConversation),
		"webhooks", s.hooks.counts()))
}

// showRequests is GET /sandbox/requests: the last ones, oldest first, with
// what a proxy made of them. Credentials are left out.
func (s *Sandbox) showRequests(*call) (answer, error) {
	c := &s.stats
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]any, 0, len(c.last))
	for i := range c.last {
		q := c.last[(c.at+i)%len(c.last)]
		header := object{}
		for _, k := range sortedKeys(q.header) {
			v := strings.Join(q.header[k], ", ")
			if k == "Authorization" {
				v, _, _ = strings.Cut(v, " ")
			}
			header.set(k, v)
		}
		list = append(list, obj("method", q.method, "target", q.target, "host", q.host,
			"proto", q.proto, "contentLength", int(q.length), "headers", header))
	}
	return ok(list)
}

// resetAll is POST /sandbox/reset.
func (s *Sandbox) resetAll(*call) (answer, error) {
	s.Reset()
	return noContent()
}
