package loop

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	// pipeSize is how much a pipe holds, bytes. Each piece of it may be as small as a
	// packet, so that of packets of 1,448 bytes it holds 370 kB. More is not given to
	// everybody.
	pipeSize = 1 << 20
	// maxPipes bounds how many there are. Together they stay within what one user may
	// hold in pipes (fs.pipe-user-pages-soft).
	maxPipes = 32

	spliceMove, spliceNonblock = 1, 2 // SPLICE_F_MOVE, SPLICE_F_NONBLOCK
	setPipeSize                = 1031 // F_SETPIPE_SZ
)

// Pipe holds bytes on their way from one socket to another. They stay in the
// kernel, which hands its pages on and copies nothing: for 100 kB that spares a
// fifth of what receiving and sending them costs.
type Pipe struct {
	in, out int // descriptors: what is written, what is read
	held    int // bytes
}

// pipes are those that nobody uses.
var pipes struct {
	mu      sync.Mutex
	idle    []*Pipe
	least   int // were idle at any time since the last sweep
	sweeps  bool
	made    int
	refused bool // the system cannot splice
}

// sweepPipes is how often those are closed that were not needed meanwhile.
const sweepPipes = 2 * time.Second

// NewPipe returns an empty pipe, or nil when there is none to be had: too many are in
// use, or the system does not splice. It must be given back.
func NewPipe() *Pipe {
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	if pipes.refused {
		return nil
	}
	if n := len(pipes.idle); n > 0 {
		p := pipes.idle[n-1]
		pipes.idle = pipes.idle[:n-1]
		pipes.least = min(pipes.least, n-1)
		return p
	}
	if pipes.made == maxPipes {
		return nil
	}
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		return nil
	}
	pipes.made++
	_, _, _ = syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(ends[0]), setPipeSize, pipeSize) // else it holds less
	return &Pipe{out: ends[0], in: ends[1]}
}

// Give gives the pipe back. What it still holds is lost.
func (p *Pipe) Give() {
	if p == nil {
		return
	}
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	if p.held > 0 || pipes.refused {
		p.close()
		return
	}
	pipes.idle = append(pipes.idle, p)
	if !pipes.sweeps {
		pipes.sweeps, pipes.least = true, 0
		time.AfterFunc(sweepPipes, sweep)
	}
}

// sweep closes the pipes that were idle all the time.
func sweep() {
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	for _, p := range pipes.idle[:pipes.least] {
		p.close()
	}
	pipes.idle = slices.Delete(pipes.idle, 0, pipes.least)
	pipes.least = len(pipes.idle)
	if pipes.sweeps = pipes.least > 0; pipes.sweeps {
		time.AfterFunc(sweepPipes, sweep)
	}
}

// close ends the pipe. The mutex is held.
func (p *Pipe) close() {
	_, _ = syscall.Close(p.in), syscall.Close(p.out)
	pipes.made--
}

// Len is how many bytes the pipe holds; those of a nil pipe are none.
func (p *Pipe) Len() int {
	if p == nil {
		return 0
	}
	return p.held
}

// Append takes all that the pipe holds into memory.
func (p *Pipe) Append(dst []byte) ([]byte, error) {
	for p.Len() > 0 {
		dst = slices.Grow(dst, p.held)
		n, err := p.Read(dst[len(dst) : len(dst)+p.held])
		if err != nil {
			return dst, err
		}
		dst = dst[:len(dst)+n]
	}
	return dst, nil
}

// Read takes some of what the pipe holds into memory; io.EOF when it is empty.
func (p *Pipe) Read(b []byte) (int, error) {
	if p.held == 0 {
		return 0, io.EOF
	}
	for {
		n, err := syscall.Read(p.out, b)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, fmt.Errorf("cannot read a pipe: %w", err)
		default:
			p.held -= n
			return n, nil
		}
	}
}

// Fill moves up to most bytes of what is there into a pipe: ErrAgain when nothing is,
// 0 and no error at the end, ErrFull when the pipe has no room, and
// errors.ErrUnsupported, having done nothing, when the system does not splice. It is
// for a socket without an Ask on its way.
func (p *Place) Fill(pipe *Pipe, most int) (int, error) {
	n, err := splice(p.fd, pipe.in, most)
	switch {
	case errors.Is(err, ErrAgain) && pipe.held > 0 && !p.idle():
		return 0, ErrFull
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EPERM):
		pipes.mu.Lock()
		pipes.refused = true
		pipes.mu.Unlock()
		return 0, errors.ErrUnsupported
	}
	pipe.held += n
	return n, err
}

// WriteFrom writes head and then what the pipe holds, now, as far as the socket takes
// them: ErrAgain when not all. It returns how much of head went out. It is for tasks
// on the loop.
func (p *Place) WriteFrom(head []byte, pipe *Pipe) (n int, err error) {
	p.Flush()
	if p.err != nil {
		return 0, p.err
	}
	if len(head) > 0 {
		n, err = p.call(syscall.SYS_SENDTO, head, syscall.MSG_NOSIGNAL|syscall.MSG_DONTWAIT|syscall.MSG_MORE) // what is in the pipe
		if err == nil && n < len(head) {
			err = ErrAgain
		}
	}
	for err == nil && pipe.held > 0 {
		var moved int
		moved, err = splice(pipe.out, p.fd, pipe.held)
		pipe.held -= moved
	}
	return n, err
}

// Takes reports whether it pays to write from a pipe here. It does not where the kernel
// paces what is sent, as it does with BBR: with a timer for each piece that costs as
// much as copying.
func (p *Place) Takes() bool {
	if p.pace == unknown {
		var name [16]byte // TCP_CA_NAME_MAX
		size := uint32(len(name))
		_, _, errno := syscall.RawSyscall6(syscall.SYS_GETSOCKOPT, uintptr(p.fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION,
			uintptr(unsafe.Pointer(&name)), uintptr(unsafe.Pointer(&size)), 0)
		if p.pace = free; errno == 0 && string(name[:3]) == "bbr" {
			p.pace = paced
		}
	}
	return p.pace == free
}

// splice moves bytes between a pipe and a socket. It never waits.
func splice(from, to, most int) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(most), spliceMove|spliceNonblock)
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EAGAIN:
			return 0, ErrAgain
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
