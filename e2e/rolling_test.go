package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startHAProxy runs Debian's HAProxy with the configuration that we publish, in
// front of two gateways.
func startHAProxy(t *testing.T, one, two *gateway) (address string) {
	t.Helper()
	text, err := os.ReadFile("../deploy/haproxy/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	address = freeAddress(t)
	port := func(address string) string { _, port, _ := net.SplitHostPort(address); return port }
	published := []string{"bind :8000", "192.0.2.11:8080 port 9900", "192.0.2.12:8080 port 9900"}
	for _, part := range published {
		if !strings.Contains(string(text), part) {
			t.Fatalf("haproxy.cfg lacks %q", part)
		}
	}
	config := filepath.Join(t.TempDir(), "haproxy.cfg")
	changed := strings.NewReplacer(published[0], "bind "+address,
		published[1], one.address+" port "+port(one.admin), published[2], two.address+" port "+port(two.admin)).Replace(string(text))
	if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	launchProgram(t, "haproxy", "-db", "-f", config)
	eventually(t, "HAProxy answers", func() error {
		a, err := try(address, call{path: "/v2/users"})
		if err == nil && a.status != 200 {
			err = fmt.Errorf("answered %s", a)
		}
		return err
	})
	return address
}

// roll ends a gateway as a supervisor does and starts it again, as it was.
func (g *gateway) roll(t *testing.T) {
	t.Helper()
	g.signal(t, syscall.SIGTERM)
	if code := g.wait(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	g.restart(t)
}

func TestARollingRestartBehindHAProxyLosesNoRequest(t *testing.T) {
	t.Parallel()
	seen := &onceOnly{posts: map[string]int{}}
	up := startStub(t, seen.handle)
	node := func() *gateway {
		return startGateway(t, up.URL, setup{listen: "shutdown_delay: 3s, trusted_proxies: [127.0.0.1/32]", rest: noRequestLimits})
	}
	gateways := []*gateway{node(), node()}
	address := startHAProxy(t, gateways[0], gateways[1])
	load := startLoad(t, "http://"+address+"/v2/users", &http.Transport{})
	restarts := 0
	for end := time.Now().Add(loadTime); time.Now().Before(end); restarts++ {
		g := gateways[restarts%2]
		before := seen.arrived.Load()
		g.roll(t)
		if seen.arrived.Load() == before {
			t.Error("nothing was sent while a gateway was restarted")
		}
		eventually(t, "HAProxy sends to the new one", func() error {
			if n := g.metrics(t).sum("gateway_requests_total"); n == 0 {
				return fmt.Errorf("it has answered nothing yet")
			}
			return nil
		})
	}
	load.wantNoFailure(t, fmt.Sprintf("%d restarts", restarts))
	seen.wantNoRepeat(t)
	if restarts < 4 {
		t.Errorf("only %d restarts in %v", restarts, loadTime)
	}
}
