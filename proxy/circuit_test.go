package proxy

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

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

func TestAnOpenCircuitIsA503ThatSaysWhenToComeAgain(t *testing.T) {
	address := nobody(t)
	g := start(t, newRecorder(t, ok), func(c *Config) {
		unlimited(c)
		c.Upstream.URL, c.Upstream.CircuitBreaker.Open, c.Upstream.CircuitBreaker.MaxOpen = "http://"+address, 30*time.Second, time.Minute
	})
	for range 5 {
		if a := g.do(t, request{method: "POST", path: "/v2/users", body: "{}"}); a.StatusCode != 502 || !strings.Contains(a.body, `"code":"upstream_unreachable"`) {
			t.Fatalf("got %d %s", a.StatusCode, a.body)
		}
	}
	a := g.do(t, request{method: "POST", path: "/v2/users", body: "{}"})
	if wait, _ := strconv.Atoi(a.Header.Get("Retry-After")); a.StatusCode != 503 || !strings.Contains(a.body, `"code":"upstream_unavailable"`) || wait < 25 || wait > 30 {
		t.Errorf("got %d, Retry-After %d: %s", a.StatusCode, wait, a.body)
	}
	for series, want := range map[string]float64{
		"gateway_upstream_circuit_state state=open upstream=" + address:      1,
		"gateway_upstream_circuit_state state=closed upstream=" + address:    0,
		"gateway_upstream_circuit_state state=half_open upstream=" + address: 0,
		"gateway_upstream_requests_in_flight upstream=" + address:            0,
		"gateway_upstream_errors_total reason=connect":                       5,
		"gateway_upstream_errors_total reason=circuit_open":                  1,
		"gateway_upstream_retries_total":                                     0,
		"gateway_upstream_retries_refused_total":                             0,
		"gateway_upstream_lookup_errors_total":                               0,
		"gateway_upstream_up":                                                0,
	} {
		if got := g.metric(t, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	if word, why := g.State(); word != "degraded" || len(why) != 1 {
		t.Errorf("the state is %s: %q", word, why)
	}
	if why := g.NotReady(); len(why) > 0 { // without a health check readiness does not hang on the upstream
		t.Errorf("not ready: %q", why)
	}
}

// Host, and references in answers: the API has one name, and its servers' own
// names are not for clients.
func TestSeveralAddressesAreOneAPI(t *testing.T) {
	up := newRecorder(t, nil)
	address := up.ln.Addr().String()
	up.answer = func(string, string) string {
		return "HTTP/1.1 200 OK\r\nDate: x\r\nLink: <http://" + address + "/v2/users?page=2>; rel=\"next\"\r\nLocation: https://api.example.com/x\r\nContent-Length: 0\r\n\r\n"
	}
	g := start(t, up, func(c *Config) {
		c.Upstream.URL, c.Upstream.Addresses = "http://api.example.com", []string{nobody(t), address}
	})
	for range 4 {
		a := g.do(t, request{method: "GET", path: "/v2/users"})
		if got, want := a.Header.Get("Link"), "<http://"+g.addr+"/v2/users?page=2>; rel=\"next\""; got != want {
			t.Errorf("Link: %s, want %s", got, want)
		}
		if got, want := a.Header.Get("Location"), "http://"+g.addr+"/x"; got != want {
			t.Errorf("Location: %s, want %s", got, want)
		}
	}
	if seen := up.bytes(); strings.Count(seen, "Host: api.example.com\r\n") != 4 {
		t.Errorf("the upstream saw %s", seen)
	}
	if retries := g.metric(t, "gateway_upstream_retries_total"); retries != 4 {
		t.Errorf("%v retries of the four requests that the other address did not get", retries)
	}
}

// An upstream that is up, with a server that is not, is told in the first words.
func TestAServerThatIsPassedOverIsTold(t *testing.T) {
	up := newRecorder(t, ok)
	g := start(t, up, func(c *Config) {
		c.Upstream.URL, c.Upstream.Addresses = "http://api.example.com", []string{nobody(t), up.ln.Addr().String()}
	})
	if word, why := g.State(); word != "ready" || why != nil {
		t.Errorf("at first: %s %q", word, why)
	}
	for range 5 { // opens the circuit
		g.do(t, request{method: "GET", path: "/v2/users"})
	}
	if word, why := g.State(); word != "degraded" || len(why) != 1 || !strings.HasSuffix(why[0], ": 1 of 2.") {
		t.Errorf("afterwards: %s %q", word, why)
	}
}
