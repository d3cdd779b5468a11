// Package systemd speaks with a service manager by the three ways that sd_notify(3),
// sd_listen_fds(3) and sd_watchdog_enabled(3) document: environment variables,
// a datagram socket and inherited listeners. Without a manager it does nothing.
// It knows nothing of what the program does.
package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// firstListener is the number of the first inherited descriptor.
const firstListener = 3

// Manager is the service manager of this process, if any.
type Manager struct {
	socket   string // where notifications go; empty: nobody listens
	watchdog time.Duration
	names    []string // of the inherited listeners, in their order
}

// New reads what the manager left in the environment, as os.Getenv does.
func New(getenv func(string) string) Manager {
	m := Manager{socket: getenv("NOTIFY_SOCKET")}
	pid := strconv.Itoa(os.Getpid())
	usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if meant := getenv("WATCHDOG_PID"); err == nil && usec > 0 && (meant == "" || meant == pid) {
		m.watchdog = time.Duration(usec) * time.Microsecond
	}
	if getenv("LISTEN_PID") != pid { // meant for another process
		return m
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 1 || n > 100 {
		return m
	}
	m.names = make([]string, n)
	copy(m.names, strings.Split(getenv("LISTEN_FDNAMES"), ":"))
	return m
}

// Watchdog is how often the manager wants to hear WATCHDOG=1 at the latest; 0
// means that it does not care.
func (m Manager) Watchdog() time.Duration { return m.watchdog }

// Notify tells the manager about the process: READY=1, RELOADING=1, STOPPING=1,
// WATCHDOG=1, STATUS=….
func (m Manager) Notify(state ...string) error {
	if m.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"}) // @ is an abstract name to Go, too
	if err != nil {
		return fmt.Errorf("cannot notify the service manager: %w", err)
	}
	defer func() { _ = conn.Close() }() // a datagram is sent or it is not
	if _, err := conn.Write([]byte(strings.Join(state, "\n"))); err != nil {
		return fmt.Errorf("cannot notify the service manager: %w", err)
	}
	return nil
}

// Listener returns the inherited listener of a name (FileDescriptorName= of the
// socket unit), or nil when there is none. It can be asked for once.
func (m Manager) Listener(name string) (net.Listener, error) {
	for i, known := range m.names {
		if known != name {
			continue
		}
		file := os.NewFile(uintptr(firstListener+i), name)
		defer func() { _ = file.Close() }() // the listener has a copy
		ln, err := net.FileListener(file)
		if err != nil {
			return nil, fmt.Errorf("cannot use the inherited listener %q: %w", name, err)
		}
		return ln, nil
	}
	return nil, nil //nolint:nilnil // none was inherited, which is no error
}

// Inherited lists the names of the inherited listeners.
func (m Manager) Inherited() []string { return m.names }
