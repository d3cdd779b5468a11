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

// A loop that often has to take over connections of others gets more of its own.
func TestOneMoreConnectionIsOpenedNowAndThen(t *testing.T) {
	here, there := aLoop(t), aLoop(t)
	for _, limit := range []int{1, 2} {
		p := aPool(limit)
		p.idling(t, p.seated(t, there))
		opened := 0
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
		if want := []int{0, 2}[limit-1]; opened != want {
			t.Errorf("with %d places %d connections were opened, want %d", limit, opened, want)
		}
		p.close()
	}
}
