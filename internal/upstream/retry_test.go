package upstream

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// onReuse plays a first request that succeeds, and then f with the second one of
// the same connection. Later connections answer.
func onReuse(t *testing.T, f func(p *peer)) *backend {
	return play(t, func(p *peer) {
		p.request()
		p.say(okAnswer)
		if p.n == 0 {
			p.request()
			f(p)
			return
		}
		p.gone()
	})
}

func TestAnIdempotentRequestIsSentAgainWhenAnOldConnectionEnds(t *testing.T) {
	for _, end := range []func(*peer){func(p *peer) { _ = p.tcp.Close() }, (*peer).reset} {
		b := onReuse(t, end)
		c := b.client()
		wantBody(t, c, get("/1"), "ok")
		wantBody(t, c, get("/2"), "ok")
		if requests, dialled := b.seen(); len(requests) != 3 || dialled != 2 {
			t.Errorf("%d requests on %d connections, want 3 on 2", len(requests), dialled)
		}
		if s := c.Stats(); s.Open != 1 {
			t.Errorf("%d connections are open, want 1", s.Open)
		}
	}
}

func TestARequestThatMayHaveBeenActedUponIsNotSentAgain(t *testing.T) {
	for _, end := range []func(*peer){func(p *peer) { _ = p.tcp.Close() }, (*peer).reset} {
		b := onReuse(t, end)
		c := b.client()
		wantBody(t, c, post("1"), "ok")
		wantError(t, c, post("2"), ReasonReset, true)
		if requests, dialled := b.seen(); len(requests) != 2 || dialled != 1 {
			t.Errorf("%d requests on %d connections, want 2 on 1", len(requests), dialled)
		}
	}
}

func TestANewConnectionThatEndsIsNotTriedAgain(t *testing.T) {
	b := play(t, func(p *peer) { p.request() })
	wantError(t, b.client(), get("/"), ReasonReset, true)
	if requests, _ := b.seen(); len(requests) != 1 {
		t.Errorf("%d requests were sent, want 1", len(requests))
	}
}

func TestAByteOfAnAnswerForbidsASecondAttempt(t *testing.T) {
	b := onReuse(t, func(p *peer) { p.say("H") })
	c := b.client()
	wantBody(t, c, get("/1"), "ok")
	wantError(t, c, get("/2"), ReasonTruncated, true)
	if requests, _ := b.seen(); len(requests) != 2 {
		t.Errorf("%d requests were sent, want 2", len(requests))
	}
}

func TestASecondFailureIsFinal(t *testing.T) {
	b := play(t, func(p *peer) {
		p.request()
		if p.n == 0 {
			p.say(okAnswer)
			p.request()
		}
	})
	c := b.client()
	wantBody(t, c, get("/1"), "ok")
	wantError(t, c, get("/2"), ReasonReset, true)
	if requests, dialled := b.seen(); len(requests) != 3 || dialled != 2 {
		t.Errorf("%d requests on %d connections, want 3 on 2", len(requests), dialled)
	}
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("%+v is left, want nothing", s)
	}
}

func TestWhatTheFirstAttemptSentIsNotForgotten(t *testing.T) {
	b := onReuse(t, func(p *peer) { _ = p.b.ln.Close() })
	c := b.client()
	wantBody(t, c, get("/1"), "ok")
	wantError(t, c, get("/2"), ReasonConnect, true)
}

func TestNothingWrittenMeansNothingSent(t *testing.T) {
	a := newAuthority(t)
	once := func(p *peer) {
		p.request()
		p.say(okAnswer)
		p.reset()
	}
	secure := playTLS(t, &tls.Config{Certificates: []tls.Certificate{a.issue(t, nil)}}, once)
	for _, c := range []*Client{play(t, once).client(), secure.secureClient(a)} {
		for _, req := range []*Request{post("x"), post(strings.Repeat("x", copyLimit))} {
			wantBody(t, c, req, "ok")
			cn, _ := c.pool.get(0, nil)
			eventually(t, "the connection is dead", cn.stale)
			failure := c.try(cn, req, &Response{}, limit{hard: time.Now().Add(5 * time.Second)}) // as if it had died a moment later
			if failure == nil || failure.Sent || !mayRepeat(failure, cn, req) {
				t.Errorf("%s: got %v, want an error with nothing sent, and another attempt", c.Scheme(), failure)
			}
			cn.drop()
		}
	}
}

func TestAnUpstreamThatDiesWithPOSTsInFlight(t *testing.T) {
	const posts = 20
	kill := make(chan bool)
	b := play(t, func(p *peer) {
		p.request()
		<-kill
		p.reset()
	})
	c := b.client()
	errs := make(chan error)
	for i := range posts {
		go func() { errs <- c.Do(post(fmt.Sprint("message ", i)), &Response{}) }()
	}
	eventually(t, "all requests arrived", func() bool { requests, _ := b.seen(); return len(requests) == posts })
	close(kill)
	for range posts {
		if err := <-errs; err == nil || !err.(*Error).Sent { //nolint:errorlint // Do returns it unwrapped
			t.Errorf("got %v, want an error with the request sent", err)
		}
	}
	if requests, _ := b.seen(); len(requests) != posts {
		t.Errorf("the upstream saw %d requests, want %d", len(requests), posts)
	}
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("%+v is left, want nothing", s)
	}
}

func TestAnAnswerBeforeTheWholeRequestIsHeard(t *testing.T) {
	const refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"
	b := play(t, func(p *peer) {
		_, _ = p.in.ReadString('\n')
		p.say(refusal)
		_ = p.tcp.Close() // with most of the request unread: a reset
	})
	c := b.client()
	heard := 0
	for range 20 {
		var resp Response
		err := c.Do(post(strings.Repeat("x", 8<<20)), &resp)
		switch {
		case err == nil && resp.Status == 413 && string(resp.Body) == "big":
			heard++
		case err == nil || !err.(*Error).Sent: //nolint:errorlint // Do returns it unwrapped
			t.Fatalf("got %d %q and error %v", resp.Status, resp.Body, err)
		}
	}
	if heard < 15 { // the kernel may drop what came before a reset
		t.Errorf("only %d of 20 early answers were heard", heard)
	}
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("%+v is left, want nothing: such a connection is not used again", s)
	}
}

func TestNothingListens(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.URL = "http://" + ln.Addr().String()
	_ = ln.Close()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	text := wantError(t, c, get("/"), ReasonConnect, false)
	if want := "cannot connect to upstream: "; !strings.HasPrefix(text, want) {
		t.Errorf("got %q, want %q…", text, want)
	}
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("%+v is left, want nothing", s)
	}
}

func TestANameWithoutAnAddress(t *testing.T) {
	cfg := DefaultConfig()
	cfg.URL = "http://no-such-host.invalid"
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, c, get("/"), ReasonDNS, false)
}

func TestErrorsDoNotRepeatWhatWasSent(t *testing.T) {
	const secret = "5ecr3t"
	b := play(t, func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\nSet-Cookie: " + secret + "\x00\r\n\r\n" + secret)
	})
	req := get("/" + secret)
	if text := wantError(t, b.client(), req, ReasonInvalid, true); strings.Contains(text, secret) {
		t.Errorf("%q repeats what was sent", text)
	}
}

func TestARequestGoesOutAsItIs(t *testing.T) {
	b := play(t, always(okAnswer))
	c := b.client()
	for _, size := range []int{0, 1, 10_000, copyLimit, copyLimit + 1, 3 << 20} {
		req := post(strings.Repeat("x", size))
		wantBody(t, c, req, "ok")
		requests, dialled := b.seen()
		if got, want := requests[len(requests)-1], string(req.Head)+string(req.Body); got != want || dialled != 1 {
			t.Errorf("%d bytes: the upstream saw %d bytes on %d connections, want %d on 1", size, len(got), dialled, len(want))
		}
	}
}

func TestTheBodyIsAppendedToTheCallersMemory(t *testing.T) {
	b := play(t, always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
	c := b.client()
	memory := make([]byte, 4, 1<<10)
	copy(memory, "mine")
	resp := Response{Body: memory}
	if err := c.Do(get("/"), &resp); err != nil {
		t.Fatal(err)
	}
	if string(resp.Body) != "mineok" || &resp.Body[0] != &memory[0] {
		t.Errorf("got %q, want mineok in the memory given", resp.Body)
	}
	resp.Reset()
	if resp.Status != 0 || len(resp.Fields) != 0 || len(resp.Body) != 0 || cap(resp.Body) != 1<<10 {
		t.Errorf("after Reset there is %+v", resp)
	}
}
