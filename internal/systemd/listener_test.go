package systemd

import (
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// inherit makes a descriptor the last of the inherited ones, by that name. The
// ones before it have none.
func inherit(t *testing.T, descriptor uintptr, name string) Manager {
	t.Helper()
	own, err := syscall.Dup(int(descriptor)) // nobody else closes it
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(own)
	count := own - firstListener + 1
	m := New(environment("LISTEN_PID", strconv.Itoa(os.Getpid()), "LISTEN_FDS", strconv.Itoa(count), "LISTEN_FDNAMES", strings.Repeat(":", count-1)+name))
	if len(m.Inherited()) != count || m.Inherited()[count-1] != name {
		t.Fatalf("inherited %q", m.Inherited())
	}
	return m
}

func TestAnInheritedListenerIsListenedOn(t *testing.T) {
	opened, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := opened.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	m := inherit(t, file.Fd(), "listen")
	_ = file.Close()
	_ = opened.Close()
	if other, err := m.Listener("admin"); other != nil || err != nil {
		t.Errorf("a name that was not inherited: %v, %v", other, err)
	}
	ln, err := m.Listener("listen")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	if ln.Addr().String() != opened.Addr().String() {
		t.Errorf("it listens on %v, want %v", ln.Addr(), opened.Addr())
	}
	// The manager's socket outlives the process that opened it: what connects finds it.
	client, err := net.Dial("tcp", opened.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(client, "hello")
	_ = client.Close()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if said, err := io.ReadAll(conn); err != nil || string(said) != "hello" {
		t.Errorf("heard %q, %v", said, err)
	}
}

func TestADescriptorThatIsNoListenerIsAnError(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	m := inherit(t, null.Fd(), "listen")
	if ln, err := m.Listener("listen"); err == nil || !strings.HasPrefix(err.Error(), `cannot use the inherited listener "listen": `) {
		t.Errorf("got %v, %v", ln, err)
	}
}

func TestASocketThatCannotBeIsAnError(t *testing.T) {
	m := New(environment("NOTIFY_SOCKET", strings.Repeat("x", 200))) // longer than the system allows
	if err := m.Notify("READY=1"); err == nil || !strings.HasPrefix(err.Error(), "cannot notify the service manager: ") {
		t.Errorf("got %v", err)
	}
}
