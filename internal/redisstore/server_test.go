package redisstore

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/chatshipper/gateway/internal/unit"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// patience is how long anything may take that should be immediate.
const patience = 15 * time.Second

// server is a real redis-server on a port of its own.
type server struct {
	t    testing.TB
	addr string
	args []string
	cmd  *exec.Cmd
}

// Ports are handed out below the range that the system takes for outgoing
// connections; the bus of a Cluster takes another one 10000 above.
var nextPort atomic.Int32

func init() { nextPort.Store(11000 + rand.Int32N(8000)) }

func freePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := fmt.Sprint(nextPort.Add(1))
		if ln, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = ln.Close()
			return port
		}
	}
	t.Fatal("cannot find a free port")
	return ""
}

func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	port := freePort(t)
	s := &server{t: t, addr: "127.0.0.1:" + port}
	s.args = append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir()}, args...)
	s.run()
	t.Cleanup(s.kill)
	return s
}

// startSentinel starts a Sentinel, which is enough to decide alone. It writes into
// its file.
func startSentinel(t *testing.T, host, port string) *server {
	t.Helper()
	own := freePort(t)
	s := &server{t: t, addr: "127.0.0.1:" + own}
	s.args = []string{writeFile(t, "sentinel.conf", "port "+own+"\nbind 127.0.0.1\nsentinel monitor gw "+host+" "+port+" 1\n"+
		"sentinel down-after-milliseconds gw 500\nsentinel failover-timeout gw 2000\n"), "--sentinel"}
	s.run()
	t.Cleanup(s.kill)
	return s
}

// run starts the server, empty.
func (s *server) run() {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", s.args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("cannot start redis-server (scripts/install-tools.sh installs it): %v", err)
	}
	eventually(s.t, "redis-server listens", func() bool {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// do runs a command as an administrator would, and returns the answer as text.
func (s *server) do(words ...string) string {
	s.t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.addr}, ForceSingleClient: true, DisableCache: true, ConnWriteTimeout: time.Minute})
	if err != nil {
		s.t.Fatalf("cannot connect to %s: %v", s.addr, err)
	}
	defer c.Close()
	m, err := c.Do(context.Background(), c.B().Arbitrary(words...).Build()).ToMessage()
	if err != nil {
		s.t.Fatalf("%s: %v", strings.Join(words, " "), err)
	}
	if text, err := m.ToString(); err == nil {
		return text
	}
	if n, err := m.AsInt64(); err == nil {
		return fmt.Sprint(n)
	}
	list, _ := m.AsStrSlice()
	return strings.Join(list, "\n")
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		if is() {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

const testSecret = "a secret of the tests"

func testConfig(addrs ...string) Config {
	cfg := DefaultConfig()
	cfg.Addresses, cfg.KeySecret, cfg.Timeout = addrs, unit.Secret(testSecret), 5*time.Second
	return cfg
}

// open opens a store for a test, by the server's clock.
func open(t testing.TB, cfg Config, logger *slog.Logger) *Store {
	t.Helper()
	if logger == nil {
		logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s, err := Open(cfg, Deps{Limits: limiter.NewMemory(8 << 20), Messages: loopguard.NewMemory(8 << 20), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// openGiven opens one that goes by the times that the test gives, and lets keys
// live for an hour longer than they have to, because real time passes differently.
func openGiven(t *testing.T, cfg Config) *Store {
	t.Helper()
	s := open(t, cfg, nil)
	if s.Degraded() {
		t.Fatal("the server can't be reached")
	}
	var latest atomic.Int64
	s.clock = func(now int64) (int64, int64) {
		for seen := latest.Load(); now > seen && !latest.CompareAndSwap(seen, now); seen = latest.Load() {
		}
		if now == 0 {
			now = latest.Load()
		}
		return now / 1000, time.Hour.Milliseconds()
	}
	return s
}

// startCluster starts three masters, which share all slots.
func startCluster(t testing.TB) []*server {
	t.Helper()
	var nodes []*server
	for range 3 {
		nodes = append(nodes, startServer(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
			"--cluster-config-file", filepath.Join(t.TempDir(), "nodes.conf"), "--cluster-require-full-coverage", "no"))
	}
	for i, n := range nodes {
		n.do("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i*slotCount/3), fmt.Sprint((i+1)*slotCount/3-1))
		host, port, _ := net.SplitHostPort(nodes[0].addr)
		n.do("CLUSTER", "MEET", host, port)
	}
	eventually(t, "the Cluster is complete", func() bool {
		for _, n := range nodes {
			info := n.do("CLUSTER", "INFO")
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3") ||
				!strings.Contains(info, fmt.Sprintf("cluster_slots_ok:%d", slotCount)) {
				return false
			}
		}
		return true
	})
	return nodes
}

func addresses(nodes []*server) (addrs []string) {
	for _, n := range nodes {
		addrs = append(addrs, n.addr)
	}
	return addrs
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
