package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAnOpenCircuitSaysWhenToComeAgain(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	g := startGateway(t, "http://"+address, setup{upstream: "circuit_breaker: {open_time: 1500ms}", rest: noRequestLimits})
	for range 5 {
		a := g.do(t, call{path: "/v2/users", body: "{}"})
		if code := wantJSONError(t, a, 502); at(code, "error", "code") != "upstream_unreachable" {
			t.Errorf("got %s", a)
		}
	}
	began := time.Now()
	a := g.do(t, call{path: "/v2/users", body: "{}"})
	if code := wantJSONError(t, a, 503); at(code, "error", "code") != "upstream_unavailable" {
		t.Errorf("got %s", a)
	}
	if wait := a.header.Get("Retry-After"); wait != "2" || time.Since(began) > time.Second {
		t.Errorf("Retry-After: %s after %v, want 2 at once", wait, time.Since(began))
	}
	m := g.metrics(t)
	for series, want := range map[string]float64{
		`gateway_upstream_circuit_state{state="open",upstream="` + address + `"}`:   1,
		`gateway_upstream_circuit_state{state="closed",upstream="` + address + `"}`: 0,
		`gateway_upstream_errors_total{reason="circuit_open"}`:                      1,
	} {
		if got := m.value(t, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	if got := g.servers(t); len(got) != 1 || got[0].Address != address || got[0].Circuit != "open" || got[0].Wait <= 0 || got[0].Last.Cause != "connect" {
		t.Errorf("operators are told %+v", got)
	}
	s := &sandbox{address: address}
	s.start(t)
	eventually(t, "a request gets through", func() error {
		if a := g.do(t, call{path: "/v2/users", token: s.tokens["admin"]}); a.status != 200 {
			return fmt.Errorf("got %s", a)
		}
		return nil
	})
	eventually(t, "the log says that the circuit opened and closed", func() error {
		log := g.logs()
		if !strings.Contains(log, "circuit of an upstream address opened") || !strings.Contains(log, "circuit of an upstream address closed") {
			return fmt.Errorf("it does not")
		}
		return nil
	})
}

// 60 requests at once, of which 10 may be in flight to an upstream that has become
// slow: 10 are answered, 50 refused at once, and operators notice nothing of it.
func TestASlowUpstreamFillsOnlyThePlacesThatThereAre(t *testing.T) {
	t.Parallel()
	var most, now atomic.Int64
	release := make(chan bool)
	up := startFaulty(t, func(a *ask) bool {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-release
		now.Add(-1)
		a.say(echo(a))
		return true
	})
	g := startGateway(t, up.URL, setup{listen: "max_requests_in_flight: 10", rest: noRequestLimits})
	var told outcomes
	var refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			v := &visitor{address: g.address}
			defer v.leave()
			id := fmt.Sprint(i)
			a, err := v.send("POST", "/v2/users", id, `{"name":"x"}`)
			switch {
			case wantEcho(a, err, id) == nil:
				told.done.Add(1)
			case err == nil && isOurs(a, 503) && strings.Contains(string(a.body), `"overloaded"`) && a.header.Get("Retry-After") == "1":
				refused.Add(1)
			default:
				told.unclear.Add(1)
			}
		})
	}
	eventually(t, "50 are refused while 10 wait", func() error {
		if n := refused.Load(); n != 50 || now.Load() != 10 {
			return fmt.Errorf("%d are refused, %d wait", n, now.Load())
		}
		return nil
	})
	if status, _, err := fetch("http://" + g.admin + "/readyz"); err != nil || status != 200 {
		t.Errorf("/readyz answers %d, %v", status, err)
	}
	close(release)
	wg.Wait()
	if told.done.Load() != 10 || told.unclear.Load() > 0 || most.Load() != 10 {
		t.Errorf("%d were answered, %d unclear; the upstream had up to %d at once", told.done.Load(), told.unclear.Load(), most.Load())
	}
	m := g.metrics(t)
	if shed, places := m.value(t, "gateway_requests_shed_total"), m.value(t, "gateway_requests_in_flight_capacity"); shed != 50 || places != 10 {
		t.Errorf("%v shed at %v places", shed, places)
	}
}

// upstreamServer is one server of the upstream, as operators are told.
type upstreamServer struct {
	Address string
	Dials   string
	Circuit string
	Wait    float64 `json:"tries_again_in"`
	Last    struct {
		Cause string
	} `json:"last_failure"`
}

func (g *gateway) servers(t *testing.T) []upstreamServer {
	t.Helper()
	status, body, err := fetch("http://" + g.admin + "/admin/v1/upstream")
	if err != nil || status != 200 {
		t.Fatalf("/admin/v1/upstream: %d, %v", status, err)
	}
	var told struct{ Servers []upstreamServer }
	if err := json.Unmarshal([]byte(body), &told); err != nil {
		t.Fatal(err)
	}
	return told.Servers
}

// A name is looked up and connected to by its address, for which operators see
// where it leads.
func TestANameOfTheUpstreamIsLookedUp(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	_, port, _ := strings.Cut(up.address, ":")
	g := startGateway(t, "http://localhost:"+port, setup{})
	eventually(t, "localhost has been looked up", func() error {
		if got := g.servers(t); len(got) != 1 || got[0].Address != "localhost:"+port || !strings.Contains(got[0].Dials, ":"+port) {
			return fmt.Errorf("operators are told %+v", got)
		}
		return nil
	})
	wantStatus(t, g.do(t, call{path: "/v2/users"}), 200)
	if host := up.last(t).host; host != "localhost:"+port {
		t.Errorf("the upstream is called %s", host)
	}
}
