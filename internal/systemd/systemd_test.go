package systemd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// environment is a getenv of pairs.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		if i := slices.Index(pairs, name); i >= 0 && i%2 == 0 {
			return pairs[i+1]
		}
		return ""
	}
}

func TestWithoutAManagerNothingHappens(t *testing.T) {
	m := New(environment())
	ln, err := m.Listener("listen")
	if m.Notify("READY=1") != nil || m.Watchdog() != 0 || ln != nil || err != nil || len(m.Inherited()) != 0 {
		t.Errorf("got %+v", m)
	}
}

func TestTheManagerIsTold(t *testing.T) {
	f := func(name string) {
		t.Helper()
		socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = socket.Close() }()
		if err := New(environment("NOTIFY_SOCKET", name)).Notify("READY=1", "STATUS=fine"); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 100)
		n, err := socket.Read(got)
		if err != nil || string(got[:n]) != "READY=1\nSTATUS=fine" {
			t.Errorf("got %q, %v", got[:n], err)
		}
	}
	f(filepath.Join(t.TempDir(), "notify"))
	f("@gateway-test-" + fmt.Sprint(os.Getpid()))
	gone := New(environment("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone")))
	if err := gone.Notify("READY=1"); err == nil || !strings.HasPrefix(err.Error(), "cannot notify the service manager: ") {
		t.Errorf("got %v", err)
	}
}

func TestTheWatchdogIsOursOnly(t *testing.T) {
	pid := fmt.Sprint(os.Getpid())
	f := func(want time.Duration, pairs ...string) {
		t.Helper()
		if got := New(environment(pairs...)).Watchdog(); got != want {
			t.Errorf("%q: got %v, want %v", pairs, got, want)
		}
	}
	f(15*time.Second, "WATCHDOG_USEC", "15000000")
	f(15*time.Second, "WATCHDOG_USEC", "15000000", "WATCHDOG_PID", pid)
	f(0, "WATCHDOG_USEC", "15000000", "WATCHDOG_PID", "1")
	f(0, "WATCHDOG_USEC", "soon")
	f(0, "WATCHDOG_USEC", "-1")
}

func TestWhichListenersAreOurs(t *testing.T) {
	pid := fmt.Sprint(os.Getpid())
	f := func(want string, pairs ...string) {
		t.Helper()
		if got := strings.Join(New(environment(pairs...)).Inherited(), " "); got != want {
			t.Errorf("%q: got %q, want %q", pairs, got, want)
		}
	}
	f("listen admin", "LISTEN_PID", pid, "LISTEN_FDS", "2", "LISTEN_FDNAMES", "listen:admin")
	f("listen", "LISTEN_PID", pid, "LISTEN_FDS", "1", "LISTEN_FDNAMES", "listen:admin")
	f("", "LISTEN_PID", "1", "LISTEN_FDS", "2", "LISTEN_FDNAMES", "listen:admin")
	f("", "LISTEN_PID", pid, "LISTEN_FDS", "many")
	f("", "LISTEN_PID", pid, "LISTEN_FDS", "-1")
}

// A manager starts the program with listeners as descriptors 3 and up; here the
// program is this test.
func TestAnInheritedListenerAccepts(t *testing.T) {
	if os.Getenv("GATEWAY_TEST_CHILD") != "" {
		child(t)
		return
	}
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	file, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run="^TestAnInheritedListenerAccepts$"`, os.Args[0])
	cmd.Env = append(os.Environ(), "GATEWAY_TEST_CHILD=1", "LISTEN_FDS=2", "LISTEN_FDNAMES=broken:listen")
	cmd.ExtraFiles = []*os.File{null, file}
	done := make(chan error, 1)
	go func() {
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		done <- err
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	said := make([]byte, 5)
	if _, err := conn.Read(said); err != nil || string(said) != "hello" {
		t.Errorf("got %q, %v", said, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func child(t *testing.T) {
	m := New(os.Getenv)
	if ln, err := m.Listener("broken"); ln != nil || err == nil {
		t.Errorf("got %v, %v for what is no listener", ln, err)
	}
	ln, err := m.Listener("listen")
	if err != nil || ln == nil {
		t.Fatalf("got %v, %v", ln, err)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write([]byte("hello"))
	_ = conn.Close()
}
