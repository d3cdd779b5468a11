package downstream

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }
func hex(n int) string  { return strconv.FormatInt(int64(n), 16) }

func TestConnectionsOverTheLimitAreRefusedInWords(t *testing.T) {
	s := serve(t, new(echo), func(c *Config) { c.MaxConnections = 2 })
	first, second := s.dial(), s.dial()
	for _, c := range []*client{first, second} {
		c.say(get)
		c.hear("GET /a 0 ")
	}
	third := s.dial()
	third.say(get) // unread input must not destroy the refusal
	if got, err := third.in.ReadString('\x00'); got != "503 full" || err == nil {
		t.Errorf("got %q, %v", got, err)
	}
	_ = first.Close()
	eventually(t, "a place is free", func() bool { return s.Open() == 1 })
	fourth := s.dial()
	fourth.say(get)
	fourth.hear("GET /a 0 ")
}

func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	s := serve(t, new(echo), func(c *Config) { c.MaxPerAddress = 1 })
	first := s.dial()
	first.say(get)
	first.hear("GET /a 0 ")
	second := s.dial()
	if got, err := second.in.ReadString('\x00'); got != "503 yours" || err == nil {
		t.Errorf("got %q, %v", got, err)
	}
	_ = first.Close()
	eventually(t, "the place is free", func() bool { return s.Open() == 0 })
	third := s.dial()
	third.say(get)
	third.hear("GET /a 0 ")
}

// One customer has a whole IPv6 network.
func TestAnIPv6NetworkCountsAsOneAddress(t *testing.T) {
	s := New(Config{MaxPerAddress: 2, IPv6Prefix: 64}, new(echo))
	f := func(a string, want bool) {
		t.Helper()
		if got := s.enter(addr(a)); got != want {
			t.Errorf("%s: admitted: %v, want %v", a, got, want)
		}
	}
	f("2001:db8::1", true)
	f("2001:db8::2", true)
	f("2001:db8::3", false)
	f("2001:db8:0:1::3", true)
	f("192.0.2.1", true)
	f("192.0.2.2", true)
	f("192.0.2.1", true)
	f("192.0.2.1", false)
	s.leave(addr("2001:db8::9"))
	f("2001:db8::3", true)
	for _, a := range []string{"2001:db8::1", "2001:db8::1", "2001:db8:0:1::3", "192.0.2.1", "192.0.2.1", "192.0.2.2"} {
		s.leave(addr(a))
	}
	if len(s.addresses) != 0 {
		t.Errorf("left over: %v", s.addresses)
	}
}

func proxied(t *testing.T, change func(*Config)) (*served, func() string) {
	t.Helper()
	var peer atomic.Pointer[netip.Addr]
	h := &echo{before: func(c *Conn) bool {
		a := c.Peer
		peer.Store(&a)
		return false
	}}
	s := serve(t, h, func(c *Config) {
		c.ProxyProtocol = true
		c.Proxy = loopback
		if change != nil {
			change(c)
		}
	})
	return s, func() string { return peer.Load().String() }
}

// loopback takes this machine for a proxy.
func loopback(a netip.Addr) bool { return a == addr("127.0.0.1") }

func binaryHeader(command, family byte, rest ...byte) string {
	head := append(bytes.Clone(signature), command, family)
	head = binary.BigEndian.AppendUint16(head, uint16(len(rest)))
	return string(append(head, rest...))
}

func TestTheProxyProtocolNamesTheClient(t *testing.T) {
	s, peer := proxied(t, nil)
	f := func(header, want string) {
		t.Helper()
		c := s.dial()
		c.say(header + get)
		c.hear("GET /a 0 ")
		if got := peer(); got != want {
			t.Errorf("%q: the peer is %s, want %s", header, got, want)
		}
	}
	f("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n", "192.0.2.1")
	f("PROXY TCP6 2001:db8::1 2001:db8::2 4711 80\r\n", "2001:db8::1")
	f("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 4711 80\r\n", "192.0.2.1")
	f("PROXY UNKNOWN\r\n", "127.0.0.1")
	f("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "127.0.0.1")
	v4 := []byte{192, 0, 2, 7, 192, 0, 2, 2, 1, 2, 0, 80}
	v6 := append(make([]byte, 36, 50), 0x04, 0, 1, 9) // with an extension behind it
	copy(v6, addr("2001:db8::7").AsSlice())
	f(binaryHeader(0x21, 0x11, v4...), "192.0.2.7")
	f(binaryHeader(0x21, 0x21, v6...), "2001:db8::7")
	f(binaryHeader(0x20, 0x00), "127.0.0.1")
	f(binaryHeader(0x21, 0x00), "127.0.0.1")
}

func TestAProxyThatDoesNotSpeakTheProtocolIsNotHeard(t *testing.T) {
	s, _ := proxied(t, nil)
	f := func(input string) {
		t.Helper()
		c := s.dial()
		c.say(input)
		_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
		if got, _ := io.ReadAll(c.in); len(got) > 0 { // what is left unread may reset the connection
			t.Errorf("%q: got %q", input, got)
		}
	}
	f(get)
	f("PROXY TCP4 192.0.2.1 192.0.2.2 4711\r\n" + get)
	f("PROXY TCP4 2001:db8::1 2001:db8::2 4711 80\r\n" + get)
	f("PROXY TCP4 192.0.2.1 2001:db8::2 4711 80\r\n" + get)
	f("PROXY TCP6 fe80::1%eth0 fe80::2 4711 80\r\n" + get)
	f("PROXY TCP4 192.0.2.1 192.0.2.2 4711 99999\r\n" + get)
	f("PROXY TCP4 192.0.2.1 192.0.2.2 04711 80\r\n" + get)
	f("PROXY  TCP4 192.0.2.1 192.0.2.2 4711 80\r\n" + get)
	f("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80 " + strings.Repeat("x", 200) + "\r\n")
	f(binaryHeader(0x31, 0x11, make([]byte, 12)...) + get)
	f(binaryHeader(0x21, 0x11, 1, 2, 3) + get)
	f(binaryHeader(0x21, 0x31, make([]byte, 216)...) + get) // a Unix socket has no address
	f(string(signature) + "\x21\x11\xff\xff")
}

func TestAStrangerCannotNameAnotherClient(t *testing.T) {
	s, _ := proxied(t, func(c *Config) { c.Proxy = func(netip.Addr) bool { return false } })
	c := s.dial()
	c.say("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n" + get)
	c.hear("400 line")
	c.closed()
}

func TestClientsBehindAProxyAreLimitedByTheirOwnAddress(t *testing.T) {
	s, _ := proxied(t, func(c *Config) { c.MaxPerAddress = 1 })
	connect := func(source string) *client {
		c := s.dial()
		c.say("PROXY TCP4 " + source + " 192.0.2.2 4711 80\r\n" + get)
		return c
	}
	first := connect("192.0.2.1")
	first.hear("GET /a 0 ")
	connect("192.0.2.9").hear("GET /a 0 ")
	second := connect("192.0.2.1")
	if got, err := second.in.ReadString('\x00'); got != "503 yours" || err == nil {
		t.Errorf("got %q, %v", got, err)
	}
	_, _ = first.Close(), second.Close()
	eventually(t, "the place is free", func() bool { return s.Open() == 1 })
	connect("192.0.2.1").hear("GET /a 0 ")
}

func FuzzProxyHeader(f *testing.F) {
	f.Add("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80", byte(0x21), byte(0x11), []byte("123456789012"))
	f.Add("PROXY TCP6 ::1 ::2 1 2", byte(0x21), byte(0x21), make([]byte, 36))
	f.Add("PROXY UNKNOWN", byte(0x20), byte(0), []byte(nil))
	f.Fuzz(func(t *testing.T, line string, command, family byte, rest []byte) {
		a, ok := parseText(line)
		b, okay := parseBinary(command, family, rest)
		for _, got := range []struct {
			netip.Addr
			ok bool
		}{{a, ok}, {b, okay}} {
			if got.IsValid() && (got.Is4In6() || got.Zone() != "") {
				t.Errorf("%q: address %v has a second spelling", line, got.Addr)
			}
			if !got.ok && got.IsValid() {
				t.Errorf("a refused header names %v", got.Addr)
			}
		}
	})
}
