package upstream

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// closing is a connection that remembers whether it was closed.
type closing struct {
	net.Conn
	closed atomic.Bool
}

func (c *closing) Close() error { c.closed.Store(true); return nil }

// aPool makes a pool of max places, whose time is the time of its bubble.
func aPool(limit int) *pool {
	start := time.Now()
	return &pool{max: limit, clock: func() int64 { return int64(time.Since(start)) }}
}

// lasting makes a connection that may be idle for d from now on.
func (p *pool) lasting(d time.Duration) *conn {
	return &conn{nc: &closing{}, expires: p.clock() + int64(d)}
}

// take takes a place at once, and reports whether there was one.
func (p *pool) take(t *testing.T) *conn {
	t.Helper()
	c, ok := p.get(0, nil)
	if !ok {
		t.Fatal("no place is free")
	}
	return c
}

func TestTheConnectionUsedLastIsUsedNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := aPool(3)
		defer p.close()
		a, b := p.lasting(time.Second), p.lasting(time.Second)
		p.take(t)
		p.take(t)
		if !p.put(a, 0) || !p.put(b, 0) {
			t.Fatal("a connection was not taken back")
		}
		if got := p.take(t); got != b {
			t.Error("the first is not the one used last")
		}
		if got := p.take(t); got != a {
			t.Error("the second is not the one used before")
		}
		if got := p.take(t); got != nil {
			t.Error("the third is not a place for a new one")
		}
		if s := p.stats(); s != (Stats{Open: 3}) {
			t.Errorf("got %+v, want 3 open", s)
		}
	})
}

func TestWhoWaitsLongestIsServedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := aPool(1)
		defer p.close()
		p.take(t)
		var order []string
		for _, name := range []string{"first", "second", "third"} {
			go func() {
				c, ok := p.get(time.Second, nil)
				order = append(order, fmt.Sprintf("%s: old=%v ok=%v", name, c != nil, ok))
				switch name {
				case "first":
					p.free(1)
				case "second":
					p.put(p.lasting(time.Second), p.clock())
				}
			}()
			synctest.Wait()
		}
		if s := p.stats(); s != (Stats{Open: 1}) {
			t.Errorf("got %+v, want 1 open", s)
		}
		p.put(p.lasting(time.Second), p.clock())
		synctest.Wait()
		if got, want := fmt.Sprint(order), "[first: old=true ok=true second: old=false ok=true third: old=true ok=true]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestAWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := aPool(1)
		p.take(t)
		if _, ok := p.get(0, nil); ok {
			t.Error("there is a place too many")
		}
		began := p.clock()
		if _, ok := p.get(maxWait, nil); ok {
			t.Error("there is a place too many")
		}
		if waited := p.clock() - began; waited != int64(maxWait) {
			t.Errorf("it took %s, want %s", time.Duration(waited), maxWait)
		}
		p.free(1)
		if s := p.stats(); s != (Stats{}) {
			t.Errorf("%+v is left, want nothing: nobody waits any more", s)
		}
	})
}

func TestIdleConnectionsAreClosedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := aPool(3)
		short, long, longer := p.lasting(time.Second), p.lasting(3*time.Second), p.lasting(5*time.Second)
		for range 3 {
			p.take(t)
		}
		for _, c := range []*conn{longer, short, long} {
			p.put(c, p.clock())
		}
		f := func(at time.Duration, want Stats, closed ...bool) {
			t.Helper()
			time.Sleep(at - time.Duration(p.clock()))
			synctest.Wait()
			if s := p.stats(); s != want {
				t.Errorf("after %s: got %+v, want %+v", at, s, want)
			}
			for i, c := range []*conn{short, long, longer} {
				if got := c.nc.(*closing).closed.Load(); got != closed[i] {
					t.Errorf("after %s: connection %d: closed is %v, want %v", at, i, got, closed[i])
				}
			}
		}
		f(999*time.Millisecond, Stats{Open: 3, Idle: 3}, false, false, false)
		f(time.Second, Stats{Open: 2, Idle: 2}, true, false, false)
		f(4999*time.Millisecond, Stats{Open: 1, Idle: 1}, true, true, false)
		f(5*time.Second, Stats{}, true, true, true)
	})
}

func TestAnExpiredConnectionIsNotTakenBack(t *testing.T) {
	p := aPool(1)
	p.take(t)
	c := p.lasting(time.Hour)
	if p.put(c, c.expires) {
		t.Error("it was taken back")
	}
	p.free(1)
	p.close()
	p.take(t)
	if p.put(c, 0) {
		t.Error("it was taken back by a pool that is closed")
	}
}

func TestAClosedPoolClosesWhatIsIdle(t *testing.T) {
	b := play(t, always(okAnswer))
	c := b.client()
	wantBody(t, c, get("/"), "ok")
	c.Close()
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("%+v is left, want nothing", s)
	}
	wantBody(t, c, get("/"), "ok") // requests in flight may still finish
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("%+v is left after another request, want nothing", s)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	const limit, clients = 4, 16
	var now, most atomic.Int64
	b := play(t, func(p *peer) {
		for {
			p.request()
			most.Store(max(most.Load(), now.Add(1)))
			<-time.After(time.Millisecond)
			now.Add(-1)
			p.say(okAnswer)
		}
	})
	c := b.client(func(cfg *Config) { cfg.MaxConnections = limit })
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range 10 {
				err := c.Do(post("x"), &Response{})
				if err != nil && err.(*Error).Reason != ReasonNoFreeConns { //nolint:errorlint // Do returns it unwrapped
					t.Errorf("unexpected error: %v", err)
				}
			}
		})
	}
	all.Wait()
	if _, dialled := b.seen(); most.Load() > limit || dialled > limit {
		t.Errorf("%d requests at a time on %d connections, want at most %d", most.Load(), dialled, limit)
	}
}

func TestTooManyRequestsAreRefusedSoon(t *testing.T) {
	held := make(chan bool)
	b := play(t, func(p *peer) {
		p.request()
		<-held
		p.say(okAnswer)
		p.gone()
	})
	c := b.client(func(cfg *Config) { cfg.MaxConnections = 1 })
	done := make(chan error)
	go func() { done <- c.Do(get("/"), &Response{}) }()
	eventually(t, "the connection is busy", func() bool { requests, _ := b.seen(); return len(requests) == 1 })
	began := time.Now()
	wantError(t, c, get("/"), ReasonNoFreeConns, false)
	if took := time.Since(began); took < maxWait || took > time.Second {
		t.Errorf("it took %s, want %s", took, maxWait)
	}
	hurried := get("/")
	hurried.Deadline = time.Now().Add(5 * time.Millisecond)
	wantError(t, c, hurried, ReasonNoFreeConns, false)
	close(held)
	if err := <-done; err != nil {
		t.Errorf("unexpected error: %v", err)
	}
}

func TestAConnectionIsNotUsedForTooLong(t *testing.T) {
	b := play(t, always(okAnswer))
	c := b.client()
	wantBody(t, c, get("/"), "ok")
	cn := c.pool.shelves[0].idle[0]
	if life := cn.retires - c.now(); life > retireTime || life < retireTime-jitter-int64(5*time.Second) {
		t.Errorf("a connection lives for %s, want 50 s to 60 s", time.Duration(life))
	}
	if left := cn.expires - c.now(); left > idleTime || left < idleTime-int64(time.Second) {
		t.Errorf("a connection is idle for %s, want 4 s", time.Duration(left))
	}
	cn.expires = c.now() // as the sweep would find it a moment later
	wantBody(t, c, get("/"), "ok")
	c.pool.shelves[0].idle[0].retires = c.now() + 1
	wantBody(t, c, get("/"), "ok") // its last
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("%+v is left, want nothing", s)
	}
	if _, dialled := b.seen(); dialled != 2 {
		t.Errorf("%d connections were made, want 2", dialled)
	}
}

func TestTheUpstreamMaySayHowLongItWaits(t *testing.T) {
	f := func(field string, want time.Duration) {
		t.Helper()
		b := play(t, always("HTTP/1.1 200 OK\r\n"+field+"\r\nContent-Length: 2\r\n\r\nok"))
		c := b.client()
		wantBody(t, c, get("/"), "ok")
		if got := time.Duration(c.pool.shelves[0].idle[0].patience); got != want {
			t.Errorf("%s: a connection may be idle for %s, want %s", field, got, want)
		}
	}
	f("Keep-Alive: timeout=5", 4*time.Second)
	f("Keep-Alive: max=100, Timeout=2", 1600*time.Millisecond)
	f("Keep-Alive: timeout=1", 800*time.Millisecond)
	f("Keep-Alive: timeout=75", 4*time.Second)
	f("Keep-Alive: timeout=-1", 4*time.Second)
	f("Keep-Alive: timeout=99999999999", 4*time.Second)
	f("Keep-Alive: timeout=", 4*time.Second)
	f("Keep-Alive: 300", 4*time.Second)
	f("X-Keep-It: timeout=1", 4*time.Second)
}
