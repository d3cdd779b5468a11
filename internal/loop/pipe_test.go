//go:build linux

package loop

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
)

// tcpPair is a connected pair of TCP sockets.
func tcpPair(t *testing.T) (ours, theirs *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	dialled, err := (&net.Dialer{Control: Local}).Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = dialled.Close(), accepted.Close() })
	return dialled.(*net.TCPConn), accepted.(*net.TCPConn)
}

func TestAPipeMovesWhatComesByteForByte(t *testing.T) {
	l := newLoop(t)
	from, source := tcpPair(t)
	to, sink := tcpPair(t)
	sent := make([]byte, 5<<20)
	_, _ = rand.Read(sent)
	go func() {
		_, _ = source.Write(sent)
		_ = source.CloseWrite()
	}()
	ended := make(chan error, 1)
	l.Start(func(task *Task) { ended <- move(task, from, to) })
	got, err := io.ReadAll(sink)
	if moved := <-ended; err != nil || moved != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes arrived, %v, %v", len(got), len(sent), err, moved)
	}
}

// move moves all that comes of one connection to another, beside the loop where the
// latter does not take it at once.
func move(task *Task, from, to *net.TCPConn) error {
	in, err := task.Loop().AddConn(from)
	if err != nil {
		return err
	}
	out, err := task.Loop().AddConn(to)
	if err != nil {
		return err
	}
	defer func() { _ = to.CloseWrite() }()
	pipe := NewPipe()
	defer pipe.Give()
	for {
		switch n, err := in.Fill(pipe, 1<<20); {
		case errors.Is(err, ErrAgain):
			task.Wait(in)
			continue
		case err != nil:
			return err
		case n == 0:
			return nil
		}
		if _, err := out.WriteFrom(nil, pipe); errors.Is(err, ErrAgain) {
			task.Leave()
			rest, err := pipe.Append(nil)
			if err != nil {
				return err
			}
			if _, err := to.Write(rest); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
	}
}

func TestAHeadGoesBeforeWhatAPipeHolds(t *testing.T) {
	l := newLoop(t)
	from, source := tcpPair(t)
	to, sink := tcpPair(t)
	_, _ = source.Write([]byte("body"))
	ended := make(chan error, 1)
	l.Start(func(task *Task) {
		in, _ := task.Loop().AddConn(from)
		out, _ := task.Loop().AddConn(to)
		if !out.Takes() {
			ended <- errors.New("a connection of this machine to itself is paced")
			return
		}
		task.Wait(in)
		pipe := NewPipe()
		defer pipe.Give()
		if n, err := in.Fill(pipe, 3); n != 3 || err != nil || pipe.Len() != 3 {
			ended <- errors.New("not what there is room for")
			return
		}
		_, err := out.WriteFrom([]byte("head "), pipe)
		ended <- err
	})
	got := make([]byte, len("head bod"))
	_, err := io.ReadFull(sink, got)
	if wrong := <-ended; err != nil || wrong != nil || string(got) != "head bod" {
		t.Errorf("%q, %v, %v", got, err, wrong)
	}
}

func TestAFullPipeSaysSo(t *testing.T) {
	l, p := newLoop(t), newPair(t)
	const pieces = 3000
	go func() {
		for range pieces {
			if _, err := p.theirs.WriteString("piece "); err != nil { // each is a piece of the pipe too
				return
			}
		}
	}()
	await(t, do(t, l, p, func(task *Task, place *Place) {
		pipe := NewPipe()
		defer pipe.Give()
		full, got := 0, []byte(nil)
		for len(got) < pieces*6 {
			_, err := place.Fill(pipe, 1<<20)
			switch {
			case errors.Is(err, ErrAgain):
				task.Wait(place)
			case errors.Is(err, ErrFull):
				full++
				if got, err = pipe.Append(got); err != nil || pipe.Len() != 0 {
					t.Errorf("%d bytes are left, %v", pipe.Len(), err)
					return
				}
			case err != nil:
				t.Error(err)
				return
			case len(got)+pipe.Len() == pieces*6:
				got, _ = pipe.Append(got)
			}
		}
		if full == 0 || string(got) != strings.Repeat("piece ", pieces) {
			t.Errorf("full %d times, %d bytes", full, len(got))
		}
	}))
}

func TestPipesThatNobodyNeedsAreClosed(t *testing.T) {
	var taken []*Pipe
	for range 5 {
		taken = append(taken, NewPipe())
	}
	for _, p := range taken {
		p.Give()
	}
	made := func() int {
		pipes.mu.Lock()
		defer pipes.mu.Unlock()
		return pipes.made
	}
	for range 2 {
		sweep()
	}
	if n := made(); n != 0 {
		t.Errorf("%d pipes are open, and nobody needs one", n)
	}
	used := NewPipe()
	for range 3 {
		used.Give()
		used = NewPipe()
		sweep()
	}
	if n := made(); n != 1 {
		t.Errorf("%d pipes are open, and one is in use", n)
	}
	used.Give()
}

func TestPipesAreBoundedAndUsedAgainWhenEmpty(t *testing.T) {
	var taken []*Pipe
	for range maxPipes {
		p := NewPipe()
		if p == nil {
			t.Fatalf("no pipe after %d", len(taken))
		}
		taken = append(taken, p)
	}
	if p := NewPipe(); p != nil {
		t.Error("one more pipe than there may be")
	}
	dirty := taken[0]
	if _, err := syscall.Write(dirty.in, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	dirty.held = 6
	for _, p := range taken {
		p.Give()
	}
	for i := range taken {
		if taken[i] = NewPipe(); taken[i] == nil || taken[i] == dirty || taken[i].Len() > 0 {
			t.Error("a pipe with something in it was used again")
		}
		if n, err := syscall.Read(taken[i].out, make([]byte, 8)); n > 0 {
			t.Errorf("a new pipe holds %d bytes, %v", n, err)
		}
	}
	for _, p := range taken {
		p.Give()
	}
	if none := (*Pipe)(nil); none.Len() != 0 {
		t.Error("no pipe holds something")
	}
}
