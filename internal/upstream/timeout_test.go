package upstream

import (
	"testing"
	"time"
)

func TestATimeoutIsOneAttempt(t *testing.T) {
	f := func(name string, req *Request, says string) {
		t.Run(name, func(t *testing.T) {
			b := play(t, func(p *peer) {
				p.request()
				p.say(okAnswer)
				p.request()
				p.say(says)
				p.gone()
			})
			c := b.client()
			wantBody(t, c, req, "ok") // so that the connection is an old one
			began := time.Now()
			req.Deadline = began.Add(60 * time.Millisecond)
			wantError(t, c, req, ReasonTimeout, true)
			if took := time.Since(began); took < 60*time.Millisecond || took > 2*time.Second {
				t.Errorf("it took %s, want about 60ms", took)
			}
			if requests, dialled := b.seen(); len(requests) != 2 || dialled != 1 {
				t.Errorf("%d requests on %d connections, want 2 on 1", len(requests), dialled)
			}
			if s := c.Stats(); s != (Stats{}) {
				t.Errorf("%+v is left, want nothing", s)
			}
		})
	}
	f("GET, no answer", get("/"), "")
	f("POST, no answer", post("x"), "")
	f("half a head", get("/"), "HTTP/1.1 200 OK\r\n")
	f("an interim answer", get("/"), "HTTP/1.1 100 Continue\r\n\r\n")
	f("half a body", post("x"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")
	f("no last chunk", post("x"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
	f("no end", get("/"), "HTTP/1.1 200 OK\r\n\r\nok")
}

func TestTheTimeoutCoversTheWholeAnswer(t *testing.T) {
	b := play(t, func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
		for range 1000 { // each byte in time, all of them not
			p.say("x")
			<-time.After(5 * time.Millisecond)
		}
	})
	c := b.client(func(cfg *Config) { cfg.Timeout = 80 * time.Millisecond })
	wantError(t, c, get("/"), ReasonTimeout, true)
}

func TestTheDeadlineOfARequestDecides(t *testing.T) {
	b := play(t, func(p *peer) {
		p.request()
		p.gone()
	})
	c := b.client()
	req := get("/")
	req.Deadline = time.Now().Add(50 * time.Millisecond)
	wantError(t, c, req, ReasonTimeout, true)
	req.Deadline = time.Now().Add(-time.Second)
	if err := c.Do(req, &Response{}); err == nil || err.(*Error).Sent { //nolint:errorlint // Do returns it unwrapped
		t.Errorf("got %v, want an error with nothing sent", err)
	}
}
