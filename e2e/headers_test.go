package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestRequestIDsAreMadeSentAndReturned(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{})
	seen := map[string]bool{}
	for range 5 {
		a := g.do(t, call{path: "/v2/users", header: map[string]string{"X-Request-Id": "chosen-by-a-stranger"}})
		id := a.header.Get("X-Request-Id")
		if id == "" || id == "chosen-by-a-stranger" || seen[id] {
			t.Errorf("X-Request-Id %q: want a fresh one", id)
		}
		seen[id] = true
		if got := up.last(t).header.Get("X-Request-Id"); got != id {
			t.Errorf("the upstream saw X-Request-Id %q, the client %q", got, id)
		}
	}
	eventually(t, "the log has the request ids", func() error {
		for id := range seen {
			if !strings.Contains(g.logs(), id) {
				return fmt.Errorf("%s is not logged", id)
			}
		}
		return nil
	})
}

func TestAWellFormedRequestIDOfATrustedProxyIsKept(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{listen: "trusted_proxies: [127.0.0.0/8]"})
	a := g.do(t, call{path: "/v2/users", header: map[string]string{"X-Request-Id": "7b1f-42"}})
	if got := a.header.Get("X-Request-Id"); got != "7b1f-42" {
		t.Errorf("X-Request-Id %q, want the proxy's", got)
	}
	if got := up.last(t).header.Get("X-Request-Id"); got != "7b1f-42" {
		t.Errorf("the upstream saw X-Request-Id %q, want the proxy's", got)
	}
	malformed := `a b"c` + strings.Repeat("x", 500)
	a = g.do(t, call{path: "/v2/users", header: map[string]string{"X-Request-Id": malformed}})
	if got := a.header.Get("X-Request-Id"); got == malformed || got == "" {
		t.Errorf("X-Request-Id %q, want a fresh one", got)
	}
}

func TestForwardedHeadersTellTheUpstreamTheTruth(t *testing.T) {
	t.Parallel()
	lies := map[string]string{
		"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "for=192.0.2.1",
	}
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{})
	g.do(t, call{path: "/v2/users", header: lies})
	got := up.last(t)
	wantHeader(t, got.header, "X-Forwarded-For", "127.0.0.1")
	wantHeader(t, got.header, "X-Forwarded-Host", g.address)
	wantHeader(t, got.header, "X-Forwarded-Proto", "http")
	if strings.Contains(fmt.Sprint(got.header), "192.0.2.1") || strings.Contains(fmt.Sprint(got.header), "evil.example") {
		t.Errorf("the upstream saw what an untrusted client claimed: %v", got.header)
	}
	if got.host != up.address {
		t.Errorf("the upstream saw Host %q, want its own %q", got.host, up.address)
	}

	trusting := startGateway(t, up.URL, setup{listen: "trusted_proxies: [127.0.0.0/8]", upstream: "preserve_host: true"})
	trusting.do(t, call{path: "/v2/users", header: map[string]string{
		"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "api.example.com", "X-Forwarded-Proto": "https", "Host": "edge.example.com",
	}})
	got = up.last(t)
	if chain := got.header.Get("X-Forwarded-For"); !strings.HasPrefix(chain, "203.0.113.9") {
		t.Errorf("X-Forwarded-For %q, want the client's address first", chain)
	}
	wantHeader(t, got.header, "X-Forwarded-Host", "api.example.com")
	wantHeader(t, got.header, "X-Forwarded-Proto", "https")
	if got.host != "edge.example.com" {
		t.Errorf("the upstream saw Host %q with preserve_host, want edge.example.com", got.host)
	}
}

func wantHeader(t *testing.T, h http.Header, name, want string) {
	t.Helper()
	if got := h.Get(name); got != want {
		t.Errorf("the upstream saw %s: %q, want %q", name, got, want)
	}
}

func TestHopByHopHeadersStayAtTheirHop(t *testing.T) {
	t.Parallel()
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "X-Upstream-Hop")
		w.Header().Set("X-Upstream-Hop", "secret")
		agreeable(w, r)
	})
	g := startGateway(t, up.URL, setup{})
	a := g.do(t, call{path: "/v2/users", header: map[string]string{
		"Connection": "X-Client-Hop", "X-Client-Hop": "secret", "TE": "trailers", "Proxy-Authorization": "Basic eA==", "Keep-Alive": "timeout=5",
		"X-Custom": "kept",
	}})
	for _, name := range []string{"X-Client-Hop", "Te", "Proxy-Authorization", "Keep-Alive"} {
		if got := up.last(t).header.Get(name); got != "" {
			t.Errorf("the upstream saw the client's %s: %q", name, got)
		}
	}
	wantHeader(t, up.last(t).header, "X-Custom", "kept")
	if got := a.header.Get("X-Upstream-Hop"); got != "" {
		t.Errorf("the client saw the upstream's X-Upstream-Hop: %q", got)
	}
}

func TestLinksPointAtTheGateway(t *testing.T) {
	t.Parallel()
	var self string
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "<"+self+"/v2/users?offset=2&q=a%2Cb%3Bc>; rel=\"next\", <https://elsewhere.example/x>; rel=\"help\"")
		w.Header().Set("Location", self+"/v2/users/7?a=b")
		agreeable(w, r)
	})
	self = up.URL
	g := startGateway(t, up.URL, setup{listen: "trusted_proxies: [127.0.0.0/8]"})
	f := func(header map[string]string, origin string) {
		t.Helper()
		a := g.do(t, call{path: "/v2/users", header: header})
		want := "<" + origin + "/v2/users?offset=2&q=a%2Cb%3Bc>; rel=\"next\", <https://elsewhere.example/x>; rel=\"help\""
		if got := strings.Join(a.header.Values("Link"), ", "); got != want {
			t.Errorf("Link: %s\nwant: %s", got, want)
		}
		if got := a.header.Get("Location"); got != origin+"/v2/users/7?a=b" {
			t.Errorf("Location: %s, want %s/v2/users/7?a=b", got, origin)
		}
	}
	f(nil, "http://"+g.address)
	f(map[string]string{"Host": "api.example.com:8443"}, "http://api.example.com:8443")
	f(map[string]string{"X-Forwarded-Host": "api.example.com", "X-Forwarded-Proto": "https"}, "https://api.example.com")
}

func TestTheAuthorizationReachesTheUpstreamAsItCame(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{})
	token := mint(agentUser, agentScope)
	g.do(t, call{path: "/v2/users", token: token})
	wantHeader(t, up.last(t).header, "Authorization", "Bearer "+token)
}
