package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that should be immediate.
const patience = 15 * time.Second

// output collects what a process prints; safe for concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// process is a running command of the gateway.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr output
	done           chan struct{} // closed when it has ended
	code           int           // its exit code, once done
}

// launch starts a command of the gateway.
func launch(t *testing.T, args ...string) *process { return launchProgram(t, binary, args...) }

// launchWith does so with more environment variables.
func launchWith(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	if len(env) == 0 {
		return launch(t, args...)
	}
	return launchProgram(t, "env", slices.Concat(env, []string{binary}, args)...)
}

// launchProgram starts a program; the test's end kills it if it still runs, and
// shows what it printed if the test failed.
func launchProgram(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	line := strings.Join(append([]string{filepath.Base(program)}, args...), " ")
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("cannot start %s: %v", line, err)
	}
	go func() {
		_ = p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if strings.Contains(p.stderr.String(), "WARNING: DATA RACE") {
			t.Error("the race detector found a data race in the gateway")
		}
		if t.Failed() {
			t.Logf("%s printed on stdout:\n%s\nand on stderr:\n%s", line,
				lastBytes(p.stdout.String(), 6000), lastBytes(p.stderr.String(), 6000))
		}
	})
	return p
}

func lastBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("cannot send %v: %v", sig, err)
	}
}

// wait returns the exit code.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.code
	case <-time.After(patience):
		t.Fatalf("the process did not end within %v", patience)
		return 0
	}
}

// logs is all that the process printed.
func (p *process) logs() string { return p.stdout.String() + p.stderr.String() }

// result is a command that has ended.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a command of the gateway to its end.
func run(t *testing.T, args ...string) result {
	t.Helper()
	p := launch(t, args...)
	code := p.wait(t)
	return result{code, p.stdout.String(), p.stderr.String()}
}

// Ports are handed out below the range that the system takes for outgoing
// connections, so that no client of a parallel test can sit on one.
var nextPort atomic.Int32

func init() { nextPort.Store(20000 + rand.Int32N(8000)) }

// freeAddress is a loopback address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		_ = l.Close()
		return address
	}
	t.Fatal("cannot find a free port")
	return ""
}

// setup is what a test changes in the gateway's configuration: more entries of
// the blocks that the helper writes, and whole blocks of its own.
type setup struct {
	listen   string // "trusted_proxies: [127.0.0.0/8]"
	upstream string // "timeout: 300ms"
	rest     string // "limits: {per_ip: {mode: off}}"
	env      []string
}

// noRequestLimits is for tests of other rules, which send faster than 20 a second.
const noRequestLimits = "limits: {per_ip: {mode: off}, per_key: {mode: off}}\n"

// gateway is a running `gateway run`.
type gateway struct {
	*process
	address, admin string
	config         string // path of its configuration file
	upstream       string
	setup          setup
}

// startGateway runs a gateway in front of upstream and waits until it is ready.
func startGateway(t *testing.T, upstream string, s setup) *gateway {
	t.Helper()
	g := &gateway{address: freeAddress(t), admin: freeAddress(t), upstream: upstream, setup: s}
	g.config = filepath.Join(t.TempDir(), "gateway.yaml")
	g.writeConfig(t, s)
	g.process = launchWith(t, s.env, "run", "--config", g.config)
	g.awaitReady(t)
	return g
}

// writeConfig writes the configuration file in one step, as an editor or a
// mounted config map does.
func (g *gateway) writeConfig(t *testing.T, s setup) {
	t.Helper()
	block := func(first, more string) string {
		if more == "" {
			return "{" + first + "}"
		}
		return "{" + first + ", " + more + "}"
	}
	text := "listen: " + block(fmt.Sprintf("address: %q", g.address), s.listen) + "\n" +
		"admin: " + block(fmt.Sprintf("address: %q", g.admin), "") + "\n" +
		"upstream: " + block(fmt.Sprintf("url: %q", g.upstream), s.upstream) + "\n" +
		s.rest
	if err := os.WriteFile(g.config+".new", []byte(text), 0o600); err != nil {
		t.Fatalf("cannot write the configuration: %v", err)
	}
	if err := os.Rename(g.config+".new", g.config); err != nil {
		t.Fatalf("cannot write the configuration: %v", err)
	}
}

func (g *gateway) url() string { return "http://" + g.address }

func (g *gateway) awaitReady(t *testing.T) {
	t.Helper()
	eventually(t, "the gateway is ready", func() error {
		select {
		case <-g.done:
			t.Fatalf("the gateway ended with exit code %d before it was ready", g.code)
		default:
		}
		status, body, err := fetch("http://" + g.admin + "/readyz")
		if err == nil && status != 200 {
			err = fmt.Errorf("/readyz answers %d: %s", status, body)
		}
		return err
	})
}

// eventually tries until the error is gone.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain until %s: %v", patience, what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// listening says whether somebody accepts connections.
func listening(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// shell runs a line with sh and returns everything that it printed.
func shell(t *testing.T, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c", line).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("cannot run %q: %v", line, err)
	}
	return string(out)
}
