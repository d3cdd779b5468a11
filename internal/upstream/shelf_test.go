//go:build linux

package upstream

import (
	"syscall"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/loop"
)

// seated makes a connection that was used last on a loop.
func (p *pool) seated(t *testing.T, l *loop.Loop) *conn {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	seat, err := l.Add(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		seat.Remove()
		_, _ = syscall.Close(fds[0]), syscall.Close(fds[1])
	})
	c := p.lasting(time.Minute)
	c.seat.Store(seat)
	return c
}

// idling puts connections into the pool.
func (p *pool) idling(t *testing.T, conns ...*conn) {
	t.Helper()
	for _, c := range conns {
		p.open++
		if !p.put(c, 0) {
			t.Fatal("a connection was not taken back")
		}
	}
}

func aLoop(t *testing.T) *loop.Loop {
	t.Helper()
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// A connection that changes loops has to be watched by another one: work for both.
func TestALoopTakesItsOwnConnectionsFirst(t *testing.T) {
	here, there, elsewhere := aLoop(t), aLoop(t), aLoop(t)
	p := aPool(10)
	defer p.close()
	own, lesser := p.seated(t, here), p.seated(t, elsewhere)
	first, last := p.seated(t, there), p.seated(t, there)
	nobodys := p.lasting(time.Minute)
	p.idling(t, own, nobodys, lesser, first, last)
	if s := p.stats(); s.Idle != 5 || s.Open != 5 {
		t.Errorf("%+v, want 5 idle ones", s)
	}
	for i, want := range []*conn{own, nobodys, last} { // of two with one each, any
		if got, ok := p.get(0, here); !ok || got != want {
			t.Errorf("connection %d is not the one that it should be", i)
		}
	}
	for range 2 {
		if got, ok := p.get(0, nil); !ok || got != first && got != lesser {
			t.Error("an idle connection was left over")
		}
	}
}

// A loop that often has to take over connections of others gets more of its own, when
// there is much to do and room for them.
func TestOneMoreConnectionIsOpenedNowAndThen(t *testing.T) {
	here, there := aLoop(t), aLoop(t)
	opens := func(limit, inUse int) (opened int) {
		p := aPool(limit)
		defer p.close()
		p.open = inUse
		p.idling(t, p.seated(t, there))
		for range 2 * tired {
			switch c, ok := p.get(0, here); {
			case !ok:
				t.Fatal("no place is free")
			case c == nil:
				opened++
				p.free(1)
			default:
				p.put(c, 0)
			}
		}
		return opened
	}
	for _, c := range []struct{ limit, inUse, want int }{
		{100, busy, 2},
		{100, busy - 1, 0},
		{busy + 1, busy, 0},
	} {
		if got := opens(c.limit, c.inUse); got != c.want {
			t.Errorf("%d of %d places in use: %d more were opened in %d turns, want %d", c.inUse, c.limit, got, 2*tired, c.want)
		}
	}
}
