package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// supervisor does for the gateway what systemd does: it opens the listeners, and
// hears what it is told.
type supervisor struct {
	public, admin *os.File
	socket        *net.UnixConn
	path          string
	mu            sync.Mutex
	heard         []string
}

func startSupervisor(t *testing.T, g *gateway) *supervisor {
	t.Helper()
	s := &supervisor{path: filepath.Join(t.TempDir(), "notify")}
	var err error
	if s.socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	s.public, g.address = listener(t)
	s.admin, g.admin = listener(t)
	t.Cleanup(func() { _ = s.socket.Close() })
	go func() {
		datagram := make([]byte, 4096)
		for {
			n, err := s.socket.Read(datagram)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.heard = append(s.heard, string(datagram[:n]))
			s.mu.Unlock()
		}
	}()
	return s
}

// listener opens one and returns its descriptor, which keeps it open.
func listener(t *testing.T) (file *os.File, address string) {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if file, err = ln.File(); err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	t.Cleanup(func() { _ = file.Close() })
	return file, ln.Addr().String()
}

// launch starts the gateway as a unit with sockets and a watchdog would.
func (s *supervisor) launch(t *testing.T, g *gateway) {
	t.Helper()
	p := &process{done: make(chan struct{})}
	p.cmd = exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" run --config "$1"`, binary, g.config)
	p.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+s.path, "WATCHDOG_USEC=200000", "LISTEN_FDS=2", "LISTEN_FDNAMES=admin:listen")
	p.cmd.ExtraFiles = []*os.File{s.admin, s.public}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("the gateway printed:\n%s", lastBytes(p.logs(), 6000))
		}
	})
	g.process = p
}

// count says how often something was heard.
func (s *supervisor) count(part string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, datagram := range s.heard {
		if strings.Contains(datagram, part) {
			n++
		}
	}
	return n
}

func (s *supervisor) awaits(t *testing.T, part string, times int) {
	t.Helper()
	eventually(t, "systemd hears "+part, func() error {
		if n := s.count(part); n < times {
			return fmt.Errorf("heard %d times, want %d", n, times)
		}
		return nil
	})
}

// supervised starts a gateway under a supervisor. Its own addresses are wrong on
// purpose: those of the sockets count.
func supervised(t *testing.T) (*gateway, *supervisor) {
	t.Helper()
	g := &gateway{upstream: startStub(t, nil).URL}
	s := startSupervisor(t, g)
	g.config = configFile(t, fmt.Sprintf("listen: {address: \"192.0.2.1:1\"}\nadmin: {address: \"127.0.0.1:1\"}\nupstream: {url: %q}\n%s", g.upstream, noRequestLimits))
	s.launch(t, g)
	s.awaits(t, "READY=1", 1)
	return g, s
}

func TestTheServiceManagerIsToldWhatHappens(t *testing.T) {
	t.Parallel()
	g, s := supervised(t)
	g.awaitReady(t)
	wantStatus(t, g.do(t, call{path: "/v2/users"}), 200)
	s.awaits(t, "WATCHDOG=1", 3)
	_, text, err := fetch("http://" + g.admin + "/metrics")
	refused := regexp.MustCompile(`(?m)^gateway_requests_total\{code="4.*\} [1-9]`)
	if n := strings.Count(g.logs(), `"msg":"request"`); err != nil || n > 1 || refused.MatchString(text) {
		t.Errorf("the watchdog's probes are taken for requests: %d in the log, %v", n, err)
	}
	g.signal(t, syscall.SIGHUP)
	s.awaits(t, "RELOADING=1", 1)
	s.awaits(t, "READY=1", 2)
	g.signal(t, syscall.SIGTERM)
	if code := g.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.awaits(t, "STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000", 1) // drain_timeout of 25s, and a margin
}

func TestAGatewayThatHangsFallsSilent(t *testing.T) {
	t.Parallel()
	g, s := supervised(t)
	s.awaits(t, "WATCHDOG=1", 2)
	g.signal(t, syscall.SIGSTOP)
	time.Sleep(300 * time.Millisecond) // what was on its way has arrived
	before := s.count("WATCHDOG=1")
	time.Sleep(500 * time.Millisecond)
	if after := s.count("WATCHDOG=1"); after != before {
		t.Errorf("%d beats of a gateway that hangs", after-before)
	}
	g.signal(t, syscall.SIGCONT)
	s.awaits(t, "WATCHDOG=1", before+2)
}

// With the socket held by systemd, a restart refuses no connection: those that
// come meanwhile wait for the next gateway.
func TestARestartUnderASocketRefusesNobody(t *testing.T) {
	t.Parallel()
	g, s := supervised(t)
	var refused, sent int
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
		for {
			select {
			case <-stop:
				return
			default:
			}
			req, err := http.NewRequest(http.MethodGet, g.url()+"/v2/users", http.NoBody)
			if err == nil {
				_, err = exchange(client, req)
			}
			if sent++; errors.Is(err, syscall.ECONNREFUSED) {
				refused++
			}
		}
	}()
	for restarts := 1; restarts <= 3; restarts++ {
		time.Sleep(200 * time.Millisecond) // of traffic
		g.signal(t, syscall.SIGTERM)
		if code := g.wait(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		s.launch(t, g)
		s.awaits(t, "READY=1", restarts+1)
	}
	close(stop)
	<-done
	if refused > 0 || sent < 50 {
		t.Errorf("%d of %d connections were refused", refused, sent)
	}
	wantStatus(t, g.do(t, call{path: "/v2/users"}), 200)
}
