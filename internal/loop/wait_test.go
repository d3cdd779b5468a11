//go:build linux

package loop

import (
	"io"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// ticking makes a loop that has something to do every half a millisecond, and else waits.
func ticking(t *testing.T) *Loop {
	t.Helper()
	l := newLoop(t)
	const monotonic = 1
	timer, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, monotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	every := syscall.NsecToTimespec(int64(500 * time.Microsecond))
	times := [2]syscall.Timespec{every, every}
	if _, _, errno = syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, timer, 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0); errno != 0 {
		t.Fatal(errno)
	}
	var stop atomic.Bool
	ended := make(chan struct{})
	l.Start(func(task *Task) {
		defer close(ended)
		p, err := l.Add(int(timer))
		if err != nil {
			t.Error(err)
			return
		}
		for ticks := make([]byte, 8); !stop.Load(); {
			task.Wait(p)
			_, _ = syscall.Read(int(timer), ticks)
		}
		p.Remove()
	})
	t.Cleanup(func() {
		stop.Store(true)
		<-ended
		_ = syscall.Close(int(timer))
	})
	return l
}

// rest lets time go by without a word to the scheduler.
func rest(d time.Duration) {
	span := syscall.NsecToTimespec(int64(d))
	_, _, _ = syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&span)), 0, 0)
}

// waiting is how long it takes, mostly, from a client's connecting until the goroutine
// that waits for it on the listener has greeted it. The client is no business of the
// scheduler's: it keeps a processor while it waits.
func waiting(t *testing.T, ln *net.TCPListener) time.Duration {
	t.Helper()
	go func() {
		for conn, err := ln.Accept(); err == nil; conn, err = ln.Accept() {
			_, _ = conn.Write([]byte("x"))
			_ = conn.Close()
		}
	}()
	to := &syscall.SockaddrInet4{Port: ln.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	var took []time.Duration
	for range 40 {
		rest(2 * time.Millisecond) // so that the other one waits again
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		patience := syscall.NsecToTimeval(int64(100 * time.Millisecond)) // it may keep the runtime from stopping the world
		if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &patience); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if err := syscall.Connect(fd, to); err != nil {
			t.Fatal(err)
		}
		var b [1]byte
		if _, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1); errno == 0 {
			took = append(took, time.Since(begun))
		}
		_ = syscall.Close(fd)
	}
	if len(took) < 10 {
		t.Fatalf("only %d clients of 40 were not interrupted", len(took))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// A loop that waits keeps its processor for a while. Who accepts connections is told of
// them all the same, where the loop attends to the listener.
func TestWhoIsAttendedToNeedNotWait(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	median := func(attend bool) time.Duration {
		l := ticking(t)
		ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ln.Close() }()
		if attend {
			if err := l.Attend(ln); err != nil {
				t.Fatal(err)
			}
		}
		return waiting(t, ln)
	}
	with, without := median(true), median(false)
	t.Logf("%v with, %v without", with, without)
	if with > 1500*time.Microsecond && with > without/2 {
		t.Errorf("a client waited %v, and %v where nobody attends", with, without)
	}
}

// While a task runs beside its loop, other sockets are looked after as if there were no
// loop: it may wait for one of them.
func TestATaskBesideItsLoopNeedNotWait(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	l := ticking(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}
	}()
	took := make(chan time.Duration, 1)
	l.Start(func(task *Task) {
		defer close(took)
		p, err := l.Add(unused(t))
		if err != nil {
			t.Error(err)
			return
		}
		p.Wake()
		task.Wait(p)
		defer p.Remove()
		task.Leave()
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		var all []time.Duration
		for range 50 {
			time.Sleep(2 * time.Millisecond)
			begun := time.Now()
			_, _ = conn.Write([]byte("x"))
			if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
				t.Error(err)
				return
			}
			all = append(all, time.Since(begun))
		}
		slices.Sort(all)
		took <- all[len(all)*3/4]
	})
	if d := <-took; d > 1500*time.Microsecond {
		t.Errorf("one in four answers took %v and more", d)
	}
}

// unused is one end of a connection that nobody uses.
func unused(t *testing.T) int {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = syscall.Close(fds[0]), syscall.Close(fds[1]) })
	return fds[0]
}
