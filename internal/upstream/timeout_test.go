package upstream

import (
	"strings"
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

func TestTheHeadOfAnAnswerHasATimeOfItsOwn(t *testing.T) {
	slowHead := func(p *peer) {
		p.request()
		p.gone()
	}
	quick := func(cfg *Config) { cfg.FirstByteTimeout = 60 * time.Millisecond }
	began := time.Now()
	wantError(t, play(t, slowHead).client(quick), post("x"), ReasonTimeout, true)
	wantError(t, play(t, slowHead).client(quick), upload(), ReasonTimeout, true)
	if took := time.Since(began); took < 120*time.Millisecond || took > 2*time.Second {
		t.Errorf("two took %s, want about 120ms", took)
	}
	interim := play(t, func(p *peer) {
		p.request()
		p.say("HTTP/1.1 103 Early Hints\r\n\r\n")
		p.gone()
	})
	wantError(t, interim.client(quick), post("x"), ReasonTimeout, true)
}

func TestABodyHasTheRestOfTheTime(t *testing.T) {
	quick := func(cfg *Config) { cfg.FirstByteTimeout = 60 * time.Millisecond }
	const begun = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"
	c := play(t, func(p *peer) {
		for range 2 {
			p.request()
			p.say(begun)
			<-time.After(300 * time.Millisecond)
			p.say("k")
		}
	}).client(quick)
	wantBody(t, c, post("x"), "ok")
	wantBody(t, c, upload(), "ok")

	endless := play(t, func(p *peer) {
		p.request()
		p.say(begun)
		p.gone()
	})
	wantError(t, endless.client(quick, func(cfg *Config) { cfg.Timeout = 120 * time.Millisecond }), post("x"), ReasonTimeout, true)
}

// upload is a request whose body comes from a source.
func upload() *Request {
	return &Request{Head: []byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"), Source: strings.NewReader("x")}
}
