package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// poisons are what a faulty upstream leaves on a connection for whoever uses it
// next: with the answer, or while the connection is idle.
var poisons = []struct {
	name, method, answer, poison string
	late                         bool
}{
	{"a second answer with the first", "GET", "", poisonAnswer, false},
	{"a second answer later", "GET", "", poisonAnswer, true},
	{"a second answer to a POST later", "POST", "", poisonAnswer, true},
	{"a timeout notice later", "GET", "", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 6\r\nConnection: close\r\n\r\nPOISON", true},
	{"the body of a 204 with it", "GET", "HTTP/1.1 204 No Content\r\n\r\n", poisonAnswer, false},
	{"the body of a 204 later", "DELETE", "HTTP/1.1 204 No Content\r\n\r\n", "POISON", true},
	{"the body of a 304 later", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n", "POISON", true},
	{"the body of an answer to HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", "POISON", false},
	{"more than Content-Length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "POISON", true},
	{"bytes behind the last chunk", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", poisonAnswer, false},
}

const poisonAnswer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"id\":\"POISON\"}"

// A first client makes the upstream leave something on the pooled connection; a
// second one must get its own answer, and its POST must arrive once.
func TestFaultPoisonedConnections(t *testing.T) {
	t.Parallel()
	left := make(chan struct{}, 1)
	up := startFaulty(t, func(a *ask) bool {
		var kind int
		if n, _ := fmt.Sscanf(a.URL.Path, "/v2/poison/%d", &kind); n == 0 {
			a.say(echo(a))
			return true
		}
		p, first := poisons[kind], poisons[kind].answer
		if first == "" {
			first = echo(a)
		}
		if p.late {
			a.say(first)
			time.Sleep(2 * time.Millisecond) // the gateway has put the connection back by then
			a.say(p.poison)
		} else {
			a.say(first + p.poison)
		}
		left <- struct{}{}
		return true
	})
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	each := counts(10, 100)
	delivered, failed, lost := 0, 0, 0
	for kind, p := range poisons {
		for i := range each {
			id := fmt.Sprintf("%d-%d", kind, i)
			first, second := &visitor{address: g.address}, &visitor{address: g.address}
			a, err := first.send(p.method, fmt.Sprintf("/v2/poison/%d", kind), id, "")
			<-left
			if err != nil || a.status >= 400 {
				lost++
				t.Errorf("%s: the first client got %s, %v", p.name, a, err)
			}
			b, err := second.send("POST", "/v2/users", id+"-victim", `{"a":1}`)
			if strings.Contains(string(b.body), "POISON") || strings.Contains(string(a.body), "POISON") {
				delivered++
			}
			if err := wantEcho(b, err, id+"-victim"); err != nil {
				failed++
				t.Errorf("%s: %v", p.name, err)
			}
			first.leave()
			second.leave()
		}
	}
	if n := up.duplicates(); n > 0 || delivered > 0 {
		t.Errorf("%d requests arrived twice, %d poisons were delivered", n, delivered)
	}
	figure(t, "poisoned connections: %d kinds x %d: %d delivered to another client, %d failures of the next request, %d of the first, %d duplicates",
		len(poisons), each, delivered, failed, lost, up.duplicates())
}
