package loop

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	turn     = 64 // events that one turn deals with at most
	maxQueue = 64 // writes that wait for the end of a turn at most

	// How long a loop waits with its processor in hand at most, and how long ago it may
	// have let go of it: the runtime looks after others every 10 ms by itself.
	patience = 3 * time.Millisecond
	rudeness = 10 * time.Millisecond

	edge      = 1 << 31 // EPOLLET, which package syscall has as a negative number
	exclusive = 1 << 28 // EPOLLEXCLUSIVE
)

// Loop waits for sockets. Its exported methods may be called from anywhere.
type Loop struct {
	epoll  int
	bell   *Place // an eventfd, which ends a wait
	file   *os.File
	raw    syscall.RawConn
	look   func(uintptr) bool
	events *batch // of this turn
	late   *batch // of the next one, which a look has found
	queue  []sending
	asks   int // in the queue
	halted atomic.Bool
	parked time.Time // when it last gave up its processor
	polite bool      // it does so next, for somebody beside it
	crew   crew
	due    [turn]*Place // of this turn's events, but those that rested

	mu     sync.Mutex
	number uint32                                  // of the last place
	woken  []*Place                                // by Wake
	places atomic.Pointer[[]atomic.Pointer[Place]] // by descriptor; written with mu held
}

// batch is what the kernel had to tell at once.
type batch struct {
	n      int
	events [turn]syscall.EpollEvent
}

// New makes a loop, which runs until Close. It costs two descriptors and a
// goroutine.
func New() (*Loop, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create an epoll instance: %w", err)
	}
	bell, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		_ = syscall.Close(epoll)
		return nil, fmt.Errorf("cannot create an eventfd: %w", errno)
	}
	l := &Loop{epoll: epoll, events: new(batch), late: new(batch)}
	l.places.Store(new([]atomic.Pointer[Place]))
	l.look = func(uintptr) bool { return l.poll(l.events, 0) }
	_ = syscall.SetNonblock(epoll, true) // so that the runtime can wait for it
	l.file = os.NewFile(uintptr(epoll), "epoll")
	if l.bell, err = l.Add(int(bell)); err == nil {
		l.raw, err = l.file.SyscallConn()
	}
	if err != nil {
		_ = l.file.Close()
		_ = syscall.Close(int(bell))
		return nil, fmt.Errorf("cannot wait for an epoll instance: %w", err)
	}
	go l.run()
	return l, nil
}

// Close ends the loop. Tasks that wait on it are never carried on, so there must
// be none.
func (l *Loop) Close() {
	l.halted.Store(true)
	l.ring()
}

func (l *Loop) ring() {
	one := uint64(1)
	_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, uintptr(l.bell.fd), uintptr(unsafe.Pointer(&one)), 8)
}

// run turns until Close. The scheduler has its chance after every turn: a loop
// that always finds something to do would keep a processor for itself.
func (l *Loop) run() {
	for !l.halted.Load() {
		if l.events, l.late = l.late, l.events; l.events.n == 0 && !l.poll(l.events, 0) {
			l.wait()
		}
		l.deal(l.events)
		l.flush()
		runtime.Gosched()
	}
	l.crew.dismiss()
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.file.Close()
	_ = syscall.Close(l.bell.fd)
	l.epoll = -1
}

// wait waits for events.
//
// To wait in the kernel without telling the runtime, which believes that the loop goes
// on, costs a fifth to a third less than to be parked and woken by it, and is not late when
// others want the processors, too. But meanwhile nobody else runs on this one, nor is told
// of a socket that the runtime watches. So it is done for a short time only, and not while
// a task runs beside a loop, nor when somebody beside it has news: see Attend.
func (l *Loop) wait() {
	if !l.polite && beside.Load() == 0 && time.Since(l.parked) < rudeness && l.poll(l.events, patience) {
		return
	}
	l.polite = false
	if err := l.raw.Read(l.look); err != nil {
		panic(fmt.Sprintf("BUG: cannot wait for an epoll instance: %v", err))
	}
	l.parked = time.Now()
}

// poll asks what happened, as far as the batch has room, and waits for something that
// long. It reports whether that is anything. A signal ends the wait.
func (l *Loop) poll(b *batch, wait time.Duration) bool {
	if b.n == turn {
		return false
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&b.events[b.n])), uintptr(turn-b.n), uintptr(wait.Milliseconds()), 0, 0)
	if errno != 0 || n == 0 {
		return false
	}
	for i := range b.events[b.n : b.n+int(n)] {
		if p := l.place(&b.events[b.n+i]); p != nil {
			p.news = true
		}
	}
	b.n += int(n)
	return true
}

// place is whom an event is for; nil for a socket that was closed.
func (l *Loop) place(e *syscall.EpollEvent) *Place {
	if p := (*l.places.Load())[e.Fd].Load(); p != nil && p.number == uint32(e.Pad) {
		return p
	}
	return nil
}

// deal carries on whom the events are for. Jobs are found first: whoever is through
// takes one.
func (l *Loop) deal(b *batch) {
	due := l.due[:0]
	for i := range b.events[:b.n] {
		e := &b.events[i]
		p := l.place(e)
		if p == nil {
			continue
		}
		if e.Events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
			p.end.Store(true)
		}
		if !p.rouse() {
			due = append(due, p)
		}
	}
	b.n = 0
	for i, p := range due {
		due[i] = nil
		switch {
		case p == l.bell:
			l.answer()
		case p.foreign:
			l.polite = true
		case !p.gone.Load():
			p.tell()
		}
	}
	l.work()
}

// answer deals with the calls of Wake.
func (l *Loop) answer() {
	var count uint64
	_, _, _ = syscall.RawSyscall(syscall.SYS_READ, uintptr(l.bell.fd), uintptr(unsafe.Pointer(&count)), 8)
	l.mu.Lock()
	woken := l.woken
	l.woken = nil
	l.mu.Unlock()
	for _, p := range woken {
		p.tell()
	}
}

func (l *Loop) wake(p *Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoll < 0 {
		return
	}
	l.woken = append(l.woken, p)
	if len(l.woken) == 1 {
		l.ring()
	}
}

// Add makes a place of a socket, which must not block. It must be removed, or
// forgotten, before the socket is closed.
func (l *Loop) Add(fd int) (*Place, error) {
	return l.watch(&Place{fd: fd}, syscall.EPOLLIN|syscall.EPOLLRDHUP|edge)
}

// Attend makes the loop give up its processor for a moment, once it has nothing to do,
// when there is news of a socket for which somebody beside it waits: of a listener.
func (l *Loop) Attend(c syscall.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("cannot watch a socket: %w", err)
	}
	if closed := raw.Control(func(fd uintptr) {
		_, err = l.watch(&Place{fd: int(fd), foreign: true}, syscall.EPOLLIN|edge|exclusive)
	}); closed != nil {
		return fmt.Errorf("cannot watch a socket: %w", closed)
	}
	return err
}

func (l *Loop) watch(p *Place, events uint32) (*Place, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.number++
	p.loop, p.number = l, l.number
	fd := p.fd
	places := *l.places.Load()
	if fd >= len(places) {
		places = enlarged(places, fd)
		l.places.Store(&places)
	}
	places[fd].Store(p)
	e := syscall.EpollEvent{Events: events, Fd: int32(fd), Pad: int32(p.number)}
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &e); err != nil {
		places[fd].Store(nil)
		return nil, fmt.Errorf("cannot watch a socket: %w", err)
	}
	return p, nil
}

// AddConn makes a place of a connection's socket.
func (l *Loop) AddConn(nc syscall.Conn) (p *Place, err error) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("cannot watch a socket: %w", err)
	}
	if closed := raw.Control(func(fd uintptr) { p, err = l.Add(int(fd)) }); closed != nil {
		return nil, fmt.Errorf("cannot watch a socket: %w", closed)
	}
	return p, err
}

func enlarged(places []atomic.Pointer[Place], fd int) []atomic.Pointer[Place] {
	larger := make([]atomic.Pointer[Place], max(64, 2*fd))
	for i := range places {
		larger[i].Store(places[i].Load())
	}
	return larger
}

func (l *Loop) leave(p *Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	(*l.places.Load())[p.fd].CompareAndSwap(p, nil)
}

func (l *Loop) unwatch(p *Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoll >= 0 {
		_ = syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_DEL, p.fd, nil)
	}
}

func (l *Loop) enqueue(s sending) {
	s.place.queued++
	if s.ask {
		l.asks++
	}
	l.queue = append(l.queue, s)
	if len(l.queue) >= maxQueue {
		l.flush()
	}
}

// flush writes what is queued. Before asks it looks once which sockets have news, for
// all of them; only one that has is looked into itself.
func (l *Loop) flush() {
	if l.asks > 0 {
		l.asks = 0
		l.poll(l.late, 0)
		full := l.late.n == turn
		for i := range l.queue {
			if s := &l.queue[i]; s.ask {
				s.doubt = full || s.place.news
				s.place.asking = false
			}
		}
	}
	for i := range l.queue {
		l.queue[i].write()
	}
	clear(l.queue)
	l.queue = l.queue[:0]
}

// Read reads what is there: ErrAgain when nothing is, 0 and no error at the end.
// After an Ask it returns nothing that came before that was written.
func (p *Place) Read(b []byte) (int, error) {
	if p.asking {
		if p.loop.flush(); p.err != nil {
			return 0, p.err
		}
	}
	return p.receive(b, 0)
}

// idle reports whether there is nothing to be read, not even the end.
func (p *Place) idle() bool {
	var one [1]byte
	_, err := p.receive(one[:], syscall.MSG_PEEK)
	return err == ErrAgain //nolint:errorlint // our own, never wrapped
}

// receive, and put, don't tell the scheduler that they are in the kernel: they
// never wait there.
func (p *Place) receive(b []byte, flags uintptr) (int, error) {
	n, err := p.call(syscall.SYS_RECVFROM, b, flags|syscall.MSG_DONTWAIT)
	if p.asks && (err == ErrAgain || n > 0 && n < len(b)) { //nolint:errorlint // our own, never wrapped
		p.news = false
	}
	return n, err
}

func (p *Place) put(b []byte) (int, error) {
	return p.call(syscall.SYS_SENDTO, b, syscall.MSG_NOSIGNAL|syscall.MSG_DONTWAIT)
}

// putBoth writes two pieces in one call.
func (p *Place) putBoth(a, b []byte) (int, error) {
	if len(b) == 0 {
		return p.put(a)
	}
	pieces := [2]syscall.Iovec{{Base: unsafe.SliceData(a)}, {Base: unsafe.SliceData(b)}}
	pieces[0].SetLen(len(a))
	pieces[1].SetLen(len(b))
	message := syscall.Msghdr{Iov: &pieces[0], Iovlen: 2}
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_SENDMSG, uintptr(p.fd), uintptr(unsafe.Pointer(&message)), syscall.MSG_NOSIGNAL|syscall.MSG_DONTWAIT)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, ErrAgain
		case errno != 0:
			return 0, errno
		default:
			return int(n), nil
		}
	}
}

func (p *Place) call(number uintptr, b []byte, flags uintptr) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(number, uintptr(p.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
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
