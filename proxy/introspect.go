package proxy

import (
	"sync"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/upstream"
)

// introspections lets one request at a time ask the upstream about a token;
// the others wait for its answer.
type introspections struct {
	mu      sync.Mutex
	running map[digest.ID]chan struct{}
}

// introspect asks the upstream, with the caller's own token, who the caller is,
// where the configuration says so and the answer is not known yet. Nothing of
// what it learns outlives `identity.introspection.ttl`.
func (x *exchange) introspect() {
	if !x.who.NeedsIntrospection {
		return
	}
	x.conn.Task().Leave()
	done, first := x.g.introspections.enter(x.who.Key)
	if !first {
		<-done
	}
	x.lookUp() // another request may have asked in the meantime
	if first {
		defer x.g.introspections.leave(x.who.Key)
		if x.who.NeedsIntrospection {
			x.askUpstream()
		}
	}
}

func (x *exchange) askUpstream() {
	head := append([]byte("GET "), x.rules.directory.IntrospectionPath(nil, &x.who)...)
	head = append(append(head, " HTTP/1.1\r\nHost: "...), x.rules.upstreamHost...)
	head = appendField(append(head, "\r\nAccept: application/json\r\n"...), x.rules.credential, x.fields.get(fieldCredential))
	head = append(appendField(head, headerRequestID, x.id), "\r\n"...)
	var answer upstream.Response
	err := x.g.upstream.Do(x.g.clock.now(), &upstream.Request{Head: head, Idempotent: true}, &answer)
	if answer.Stream != nil {
		_ = answer.Stream.Close()
	}
	if err != nil {
		answer.Status = 0
	}
	x.rules.directory.Introspected(&x.who, answer.Status, answer.Body, time.Now().UnixNano())
}

func (s *introspections) enter(key digest.ID) (done chan struct{}, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if done = s.running[key]; done != nil {
		return done, false
	}
	if s.running == nil {
		s.running = make(map[digest.ID]chan struct{})
	}
	s.running[key] = make(chan struct{})
	return nil, true
}

func (s *introspections) leave(key digest.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.running[key])
	delete(s.running, key)
}
