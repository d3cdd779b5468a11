package proxy

import (
	"net/netip"
	"testing"

	"github.com/chatshipper/gateway/internal/http1"
)

func TestClientAddress(t *testing.T) {
	proxies, err := parseTrusted([]string{"10.0.0.0/8", "192.0.2.1", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	is := func(peer, headers, want string) {
		t.Helper()
		f, p := parseBlock(t, headers+"\r\n")
		if p != "" {
			t.Fatal(p)
		}
		if got := proxies.client(netip.MustParseAddr(peer), f); got != netip.MustParseAddr(want) {
			t.Errorf("peer %s, %q: got %s, want %s", peer, headers, got, want)
		}
	}
	is("203.0.113.9", "X-Forwarded-For: 198.51.100.1\r\n", "203.0.113.9") // a stranger is not believed
	is("10.0.0.1", "", "10.0.0.1")
	is("10.0.0.1", "X-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1")
	is("10.0.0.1", "X-Forwarded-For: 1.1.1.1, 198.51.100.1, 10.0.0.2\r\n", "198.51.100.1")
	is("10.0.0.1", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 198.51.100.1, 192.0.2.1\r\n", "198.51.100.1")
	is("10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3")               // only proxies: the farthest
	is("10.0.0.1", "X-Forwarded-For: 198.51.100.1, nonsense, 10.0.0.2\r\n", "10.0.0.2") // ends at the last trusted hop
	is("10.0.0.1", "X-Forwarded-For: nonsense\r\n", "10.0.0.1")                         //
	is("10.0.0.1", "X-Forwarded-For: 198.51.100.1:4711\r\n", "198.51.100.1")            //
	is("10.0.0.1", "X-Forwarded-For: [2001:db8::1]:80\r\n", "2001:db8::1")              //
	is("10.0.0.1", "X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1")                   //
	is("10.0.0.1", "X-Forwarded-For: ::ffff:198.51.100.1\r\n", "198.51.100.1")          //
	is("10.0.0.1", "Forwarded: for=198.51.100.1;proto=https, for=10.0.0.2\r\n", "198.51.100.1")
	is("10.0.0.1", "Forwarded: For=\"[2001:db8::1]:47\"\r\n", "2001:db8::1")
	is("10.0.0.1", "Forwarded: for=unknown\r\n", "10.0.0.1")
	is("10.0.0.1", "X-Real-IP: 198.51.100.1\r\n", "10.0.0.1")
	is("fd00::1", "X-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1")
}

func TestTrustedProxiesRefusesNonsense(t *testing.T) {
	for _, s := range []string{"", "10.0.0.0/33", "example.com"} {
		if _, err := parseTrusted([]string{s}); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("198.51.100.1, 10.0.0.1")
	f.Add(`for="[::1]:80";by=x, for=_hidden`)
	proxies := trusted{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, value string) {
		if !http1.IsFieldValue([]byte(value)) {
			return
		}
		for _, kind := range []fieldKind{fieldForwardedFor, fieldForwarded} {
			var x fields
			x.list[0], x.n, x.count[kind] = field{value: []byte(value), kind: kind}, 1, 1
			if got := proxies.client(netip.MustParseAddr("10.0.0.1"), &x); !got.IsValid() || got.Zone() != "" || got.Is4In6() {
				t.Errorf("%q: client %v", value, got)
			}
		}
	})
}
