package upstream

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestWhereToConnectToAndWhatItIsCalled(t *testing.T) {
	f := func(url string, addresses, targets, authorities []string) {
		t.Helper()
		c := DefaultConfig()
		c.URL, c.Addresses = url, addresses
		if got := c.Targets(); !slices.Equal(got, targets) {
			t.Errorf("%s %q: connects to %q", url, addresses, got)
		}
		if got := c.Authorities(); !slices.Equal(got, authorities) {
			t.Errorf("%s %q: is called %q", url, addresses, got)
		}
	}
	f("https://api.example.com", nil, []string{"api.example.com:443"}, []string{"api.example.com"})
	f("http://api.example.com:81", nil, []string{"api.example.com:81"}, []string{"api.example.com:81"})
	f("https://api.example.com", []string{"10.0.0.1:443", "[::1]:8443"}, []string{"10.0.0.1:443", "[::1]:8443"},
		[]string{"api.example.com", "10.0.0.1", "[::1]:8443"})
	f("http://a", []string{"a:80", "b:443"}, []string{"a:80", "b:443"}, []string{"a", "b:443"})
	f("nonsense", nil, nil, nil)
}

func TestTooManyAddresses(t *testing.T) {
	c := DefaultConfig()
	c.URL = "http://a"
	for i := range MaxAddresses + 1 {
		c.Addresses = append(c.Addresses, "a:"+strconv.Itoa(i+1))
	}
	if got := mistakes(&c); !slices.Equal(got, []string{"addresses: must be at most 64, got 65"}) {
		t.Errorf("got %q", got)
	}
}

// nobody is an address that refuses connections.
func nobody(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// silent is an address where connections are neither taken nor refused: the
// queue of those that wait to be accepted is full.
func silent(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err = errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for {
		conn, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}

func TestTheNextAddressOfAServerIsTried(t *testing.T) {
	b := play(t, always(okAnswer))
	there := b.ln.Addr().String()
	for _, addresses := range [][]string{{nobody(t), there}, {nobody(t), nobody(t), there}, {there, nobody(t)}, {silent(t), there}} {
		c := b.client().At(addresses, nil)
		began := time.Now()
		wantBody(t, c, post("x"), "ok")
		if took := time.Since(began); took > 4*time.Second { // connect_timeout is 5 s
			t.Errorf("%q: took %s", addresses, took)
		}
		c.Close()
	}
	c := b.client().At([]string{nobody(t), nobody(t)}, nil)
	wantError(t, c, post("x"), ReasonConnect, false)
}

func TestWhatNeverWentOutMayGoElsewhere(t *testing.T) {
	b := play(t, always(okAnswer))
	err := b.client().At([]string{nobody(t)}, nil).Do(post("x"), &Response{})
	if failure := (*Error)(nil); !errors.As(err, &failure) || !failure.Again || failure.Sent {
		t.Errorf("got %#v", err)
	}
	sent := onReuse(t, func(*peer) {})
	c := sent.client()
	wantBody(t, c, post("1"), "ok")
	err = c.Do(post("2"), &Response{})
	if failure := (*Error)(nil); !errors.As(err, &failure) || failure.Again || !failure.Sent {
		t.Errorf("a POST that may have been processed: got %#v", err)
	}
}

func TestAnIdempotentRequestOfAnUpstreamThatDiedMayGoElsewhere(t *testing.T) {
	b := onReuse(t, func(p *peer) { _ = p.b.ln.Close() })
	c := b.client()
	wantBody(t, c, get("/1"), "ok")
	err := c.Do(get("/2"), &Response{})
	if failure := (*Error)(nil); !errors.As(err, &failure) || !failure.Again || !failure.Sent {
		t.Errorf("got %#v", err)
	}
}

func TestARequestIsSentAgainOnlyWithinTheBudget(t *testing.T) {
	asked := 0
	b := onReuse(t, func(*peer) {})
	c := b.client().At([]string{b.ln.Addr().String()}, func() bool { asked++; return false })
	t.Cleanup(c.Close)
	wantBody(t, c, get("/1"), "ok")
	err := c.Do(get("/2"), &Response{})
	if failure := (*Error)(nil); !errors.As(err, &failure) || failure.Reason != ReasonReset || failure.Again {
		t.Errorf("got %#v", err)
	}
	if requests, _ := b.seen(); len(requests) != 2 || asked != 1 {
		t.Errorf("%d requests were sent and the budget was asked %d times, want 2 and once", len(requests), asked)
	}
}
