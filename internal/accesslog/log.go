// Package accesslog writes one line for each request, without ever making a
// request wait for a disk or a pipe: lines go to a bounded buffer, a goroutine
// writes them out, and what does not fit is dropped and counted. It knows
// nothing of HTTP or of the rules; it is given values, and the callers it names
// are keyed digests.
package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	bufferSize = 256 << 10              // lines that wait for the writer
	flushAt    = 64 << 10               // bytes at which the writer is woken at once
	flushEvery = 200 * time.Millisecond // how old a line may grow in the buffer
	closeWait  = 2 * time.Second        // how long Close waits for a stuck writer
	lineSize   = 1 << 10                // longer lines are written too, but allocate
	lineKept   = 8 << 10                // buffers of longer lines are not kept
)

// Log is an access log. Its methods may be called from several goroutines.
type Log struct {
	w     io.Writer
	lines sync.Pool // of *line

	sampler atomic.Pointer[sampler]
	skipped atomic.Uint64

	mu      sync.Mutex
	waiting []byte // whole lines
	closed  bool
	dropped uint64
	failed  uint64
	failure error

	wake chan struct{} // holds a token when flushAt bytes wait
	stop chan struct{} // closed by Close
	done chan struct{} // closed by the goroutine when it ends
}

// New starts a log that writes to w. Close ends it.
func New(w io.Writer, format Format) *Log {
	l := &Log{
		w:       w,
		lines:   sync.Pool{New: func() any { return &line{b: make([]byte, 0, lineSize), format: format} }},
		waiting: make([]byte, 0, bufferSize),
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	l.Configure(Options{})
	go l.run()
	return l
}

// Write adds the line of one request, if it gets one. It never waits for the
// writer: a line that finds the buffer full, or the log closed, is dropped and
// counted.
func (l *Log) Write(e *Entry) {
	s := l.sampler.Load()
	chosen, oneIn := s.choose(e)
	if !chosen {
		l.skipped.Add(1)
		return
	}
	line := l.lines.Get().(*line)
	e.oneIn, line.clientIP = oneIn, s.ClientIP
	e.writeTo(line)
	full := l.add(line.b)
	if cap(line.b) <= lineKept {
		l.lines.Put(line)
	}
	if full {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// add copies a line to the buffer and reports whether the writer should be
// woken. The lock is held for the copy only.
func (l *Log) add(line []byte) (full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.waiting)+len(line) > bufferSize {
		l.dropped++
		return false
	}
	l.waiting = append(l.waiting, line...)
	return len(l.waiting) >= flushAt
}

// Dropped returns how many lines were lost, because the buffer was full, the
// log was closed, or the writer failed.
func (l *Log) Dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// Errors returns how many writes failed, and how the last of them did.
func (l *Log) Errors() (count uint64, last error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed, l.failure
}

// Close writes what is waiting and ends the log. It gives up after 2 s on a
// writer that is stuck. The writer itself stays open.
func (l *Log) Close() error {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if !again {
		close(l.stop)
	}
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case <-l.done:
		return nil
	case <-timer.C:
		return errors.New("cannot write the end of the access log: its writer is stuck")
	}
}

func (l *Log) run() {
	defer close(l.done)
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	out := output{w: l.w}
	spare := make([]byte, 0, bufferSize)
	for stopped := false; !stopped; {
		select {
		case <-ticker.C:
		case <-l.wake:
		case <-l.stop:
			stopped = true
		}
		l.mu.Lock()
		lines := l.waiting
		l.waiting = spare[:0]
		l.mu.Unlock()
		l.record(out.write(lines))
		spare = lines
	}
}

func (l *Log) record(lost int, err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed++
	l.failure = fmt.Errorf("cannot write the access log: %w", err)
	l.dropped += uint64(lost)
}

// output writes batches of lines and keeps whole lines whole: after a write
// that ended in the middle of a line, the next batch starts on a new one.
type output struct {
	w    io.Writer
	torn bool
}

var newline = []byte{'\n'}

// write returns how many of the lines were lost.
func (o *output) write(lines []byte) (lost int, err error) {
	if len(lines) == 0 {
		return 0, nil
	}
	if o.torn {
		if _, err = o.w.Write(newline); err != nil {
			return bytes.Count(lines, newline), err
		}
		o.torn = false
	}
	n, err := o.w.Write(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	if err == nil {
		return 0, nil
	}
	n = min(max(n, 0), len(lines))
	o.torn = n > 0 && lines[n-1] != '\n'
	return bytes.Count(lines[n:], newline), err
}
