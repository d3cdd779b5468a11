package upstream

import (
	"fmt"
	"sync"
	"testing"
)

// idle waits until the client has given n connections back.
func idle(t *testing.T, c *Client, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d idle connections", n), func() bool { return c.Stats().Idle == n })
}

func TestAnAnswerThatNobodyAskedForIsNeverDelivered(t *testing.T) {
	const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"
	for _, first := range []string{
		okAnswer,
		"HTTP/1.1 204 No Content\r\nContent-Length: 53\r\n\r\n", // and the "body" comes late
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 53\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	} {
		for _, late := range []bool{false, true} {
			answered, poisoned := make(chan bool), make(chan bool)
			b := play(t, func(p *peer) {
				p.request()
				if p.n > 0 {
					p.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean")
					p.gone()
					return
				}
				if late {
					p.say(first)
					<-answered
					p.say(poison)
				} else {
					p.say(first + poison)
					<-answered
				}
				close(poisoned)
				p.gone()
			})
			c := b.client()
			var resp Response
			if err := c.Do(post("one"), &resp); err != nil {
				t.Fatalf("%.30q: unexpected error: %v", first, err)
			}
			close(answered)
			<-poisoned
			wantBody(t, c, post("two"), "clean")
			if requests, dialled := b.seen(); len(requests) != 2 || dialled != 2 {
				t.Errorf("%.30q, late=%v: %d requests on %d connections, want 2 on 2", first, late, len(requests), dialled)
			}
		}
	}
}

func TestPOSTsSurviveAnUpstreamThatClosesIdleConnections(t *testing.T) {
	const posts = 200
	for _, reset := range []bool{false, true} {
		hungUp := make(chan bool)
		b := play(t, func(p *peer) {
			p.request()
			p.say(okAnswer)
			if reset {
				p.reset()
			} else {
				_ = p.tcp.Close()
			}
			hungUp <- true
		})
		c := b.client()
		for i := range posts {
			wantBody(t, c, post(fmt.Sprint("message ", i)), "ok")
			<-hungUp
		}
		requests, _ := b.seen()
		unique := map[string]bool{}
		for _, r := range requests {
			unique[r] = true
		}
		if len(requests) != posts || len(unique) != posts {
			t.Errorf("reset=%v: the upstream saw %d requests, %d different ones; want %d", reset, len(requests), len(unique), posts)
		}
	}
}

func TestARestartOfTheUpstreamEmptiesThePool(t *testing.T) {
	const many = 8
	var together sync.WaitGroup
	together.Add(many)
	restart := make(chan bool)
	b := play(t, func(p *peer) {
		p.request()
		if p.n < many {
			together.Done()
			together.Wait()
			p.say(okAnswer)
			<-restart
			return
		}
		p.say(okAnswer)
		p.gone()
	})
	c := b.client()
	errs := make(chan error)
	for range many {
		go func() { errs <- c.Do(post("x"), &Response{}) }()
	}
	for range many {
		if err := <-errs; err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
	}
	idle(t, c, many)
	close(restart)
	eventually(t, "the upstream closed its connections", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.open) == 0
	})
	wantBody(t, c, post("y"), "ok")
	if s := c.Stats(); s != (Stats{Open: 1, Idle: 1}) {
		t.Errorf("got %+v, want one connection", s)
	}
	if _, dialled := b.seen(); dialled != many+1 {
		t.Errorf("%d connections were made, want %d", dialled, many+1)
	}
}
