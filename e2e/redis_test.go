package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// redisServer is a real redis-server of the test's own.
type redisServer struct {
	address string
	args    []string
	cmd     *exec.Cmd
}

func startRedis(t *testing.T, more ...string) *redisServer {
	t.Helper()
	r := &redisServer{address: freeAddress(t)}
	_, port, _ := net.SplitHostPort(r.address)
	r.args = []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir()}
	r.args = append(r.args, more...)
	r.run(t)
	t.Cleanup(r.kill)
	return r
}

// run starts it, empty.
func (r *redisServer) run(t *testing.T) {
	t.Helper()
	r.cmd = exec.Command("redis-server", r.args...)
	if err := r.cmd.Start(); err != nil {
		t.Fatalf("cannot start redis-server (scripts/install-tools.sh installs it): %v", err)
	}
	eventually(t, "redis-server listens", func() error { return listening(r.address) })
}

func (r *redisServer) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *redisServer) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// do sends one command and returns its answer: a line, or a text of many.
func (r *redisServer) do(t *testing.T, command string) string {
	t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "%s\r\n", command)
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if size, ok := strings.CutPrefix(strings.TrimSpace(line), "$"); ok {
		n, _ := strconv.Atoi(size)
		text := make([]byte, n)
		_, err = io.ReadFull(in, text)
		line = string(text)
	}
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.TrimSpace(line)
}

// watch collects the times, in µs of the server's clock, at which requests were
// admitted for API keys: the server itself reports each that it writes down.
func (r *redisServer) watch(t *testing.T) (admitted func() []int64) {
	t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, _ = fmt.Fprint(conn, "MONITOR\r\n")
	lines := bufio.NewReader(conn)
	if ok, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(ok, "+OK") {
		t.Fatalf("MONITOR: %q, %v", ok, err)
	}
	var mu sync.Mutex
	var times []int64
	go func() {
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			if words := strings.Split(line, `"`); strings.Contains(line, `"RPUSH" "gw{l}k`) && len(words) > 5 {
				at, _ := strconv.ParseInt(words[5], 10, 64)
				mu.Lock()
				times = append(times, at)
				mu.Unlock()
			}
		}
	}()
	return func() []int64 {
		mu.Lock()
		defer mu.Unlock()
		return append([]int64(nil), times...)
	}
}

// shared is the configuration of a gateway that shares its counts. A busy machine
// must not look like a dead Redis, so the deadline is long unless a test says so.
func (r *redisServer) shared(more, rest string) setup {
	if !strings.Contains(more, "timeout") {
		more += ", timeout: 5s"
	}
	return setup{rest: fmt.Sprintf("store: {kind: redis, redis: {addresses: [%q], key_secret: a secret of the tests, replicas: 4%s}}\n", r.address, more) + rest}
}

// fleet starts four gateways, at once, each with its own change.
func fleet(t *testing.T, upstream string, s func(i int) setup) []*gateway {
	t.Helper()
	gateways := make([]*gateway, 4)
	for i := range gateways {
		gateways[i] = startGateway(t, upstream, s(i))
	}
	return gateways
}

// flood sends a request every interval, spread over all gateways, until the time
// is over, and returns the answers.
func flood(t *testing.T, gateways []*gateway, every, total time.Duration, c func(i int) call) []answer {
	t.Helper()
	var mu sync.Mutex
	var answers []answer
	var wg sync.WaitGroup
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	end := time.Now().Add(total)
	for i := 0; time.Now().Before(end); i++ {
		<-ticker.C
		wg.Go(func() {
			a, err := try(gateways[i%len(gateways)].address, c(i))
			if err != nil {
				t.Errorf("request %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, a)
		})
	}
	wg.Wait()
	return answers
}
