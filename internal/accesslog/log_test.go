package accesslog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a writer that keeps what it is given and can be stuck or broken.
type sink struct {
	mu     sync.Mutex
	got    bytes.Buffer
	writes int
	stuck  chan struct{} // when set, a write waits until it is closed
	fail   func(b []byte) (int, error)
}

func (s *sink) Write(b []byte) (int, error) {
	if s.stuck != nil {
		<-s.stuck
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.fail != nil {
		n, err := s.fail(b)
		s.got.Write(b[:n])
		return n, err
	}
	return s.got.Write(b)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

func (s *sink) lines() int { return strings.Count(s.String(), "\n") }

func closed(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestALineIsWrittenWithin200ms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(sink)
		l := New(s, JSON)
		defer closed(t, l)
		time.Sleep(10 * time.Millisecond)
		l.Write(&Entry{})
		time.Sleep(189 * time.Millisecond)
		synctest.Wait()
		if s.lines() != 0 {
			t.Error("written before its time: lines should be gathered")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if s.lines() != 1 {
			t.Errorf("%d lines after 200 ms, want 1", s.lines())
		}
	})
}

func TestALogOfManyLinesIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(sink)
		l := New(s, JSON)
		defer closed(t, l)
		e := refused()
		size := len(written(&e, JSON))
		for range flushAt/size + 1 {
			l.Write(&e)
		}
		synctest.Wait()
		if got := s.lines(); got != flushAt/size+1 {
			t.Errorf("%d lines without waiting, want %d", got, flushAt/size+1)
		}
	})
}

func TestCloseWritesTheRestAndLaterLinesAreCounted(t *testing.T) {
	s := new(sink)
	l := New(s, Text)
	l.Write(&Entry{})
	l.Write(&Entry{})
	closed(t, l)
	l.Write(&Entry{})
	closed(t, l)
	if s.lines() != 2 || l.Dropped() != 1 {
		t.Errorf("%d lines and %d dropped, want 2 and 1", s.lines(), l.Dropped())
	}
}

func TestAnIdleLogWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(sink)
		l := New(s, JSON)
		time.Sleep(time.Hour)
		closed(t, l)
		if s.writes != 0 {
			t.Errorf("%d writes", s.writes)
		}
	})
}

func TestASlowWriterNeverBlocksARequestAndWhatIsLostIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{stuck: make(chan struct{})}
		l := New(s, JSON)
		e := refused()
		l.Write(&e)
		time.Sleep(flushEvery)
		synctest.Wait() // the goroutine is stuck with one line

		const sent = 5000
		before := time.Now()
		for range sent {
			l.Write(&e)
		}
		if time.Since(before) != 0 {
			t.Errorf("the lines took %s", time.Since(before))
		}
		kept := bufferSize / len(written(&e, JSON))
		if got := l.Dropped(); got != uint64(sent-kept) {
			t.Errorf("%d dropped, want %d", got, sent-kept)
		}
		close(s.stuck)
		closed(t, l)
		if s.lines() != 1+kept {
			t.Errorf("%d lines written, want %d", s.lines(), 1+kept)
		}
		for line := range strings.Lines(s.String()) {
			if !json.Valid([]byte(line)) {
				t.Fatalf("torn line %q", line)
			}
		}
	})
}

func TestCloseGivesUpOnAStuckWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{stuck: make(chan struct{})}
		l := New(s, JSON)
		l.Write(&Entry{})
		before := time.Now()
		if err := l.Close(); err == nil || time.Since(before) != closeWait {
			t.Errorf("got %v after %s", err, time.Since(before))
		}
		close(s.stuck)
		closed(t, l)
	})
}

func TestAFullDiskIsCountedAndEndsWhenThereIsRoomAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{fail: func([]byte) (int, error) { return 0, syscall.ENOSPC }}
		l := New(s, JSON)
		l.Write(&Entry{})
		l.Write(&Entry{})
		time.Sleep(2 * flushEvery)
		synctest.Wait()
		count, err := l.Errors()
		if count != 1 || !errors.Is(err, syscall.ENOSPC) || l.Dropped() != 2 {
			t.Errorf("%d errors, last %v, %d dropped; want 1, ENOSPC, 2", count, err, l.Dropped())
		}
		if err.Error() != "cannot write the access log: no space left on device" {
			t.Errorf("got %q", err)
		}
		s.mu.Lock()
		s.fail = nil
		s.mu.Unlock()
		l.Write(&Entry{})
		closed(t, l)
		if count, _ := l.Errors(); count != 1 || s.lines() != 1 {
			t.Errorf("%d errors and %d lines, want 1 and 1", count, s.lines())
		}
	})
}

func TestALineTornByTheWriterSpoilsNoOther(t *testing.T) {
	f := func(name string, first func(b []byte) (int, error), wantLost int, wantErr error) {
		t.Helper()
		s := &sink{fail: first}
		out := output{w: s}
		lost, err := out.write([]byte("one\ntwo\nthree\n"))
		if lost != wantLost || !errors.Is(err, wantErr) {
			t.Errorf("%s: lost %d, %v; want %d, %v", name, lost, err, wantLost, wantErr)
		}
		s.fail = nil
		lost, err = out.write([]byte("four\n"))
		if lost != 0 || err != nil || !strings.HasSuffix("\n"+s.String(), "\nfour\n") {
			t.Errorf("%s: lost %d, %v, wrote %q", name, lost, err, s.String())
		}
	}
	f("in the middle", func([]byte) (int, error) { return 5, syscall.ENOSPC }, 2, syscall.ENOSPC)
	f("at the end of a line", func([]byte) (int, error) { return 4, syscall.ENOSPC }, 2, syscall.ENOSPC)
	f("without an error", func([]byte) (int, error) { return 9, nil }, 1, io.ErrShortWrite)
	f("before anything", func([]byte) (int, error) { return 0, io.ErrClosedPipe }, 3, io.ErrClosedPipe)

	s := &sink{fail: func([]byte) (int, error) { return 1, io.ErrClosedPipe }}
	out := output{w: s}
	_, _ = out.write([]byte("one\n"))
	s.fail = func([]byte) (int, error) { return 0, io.ErrClosedPipe }
	if lost, err := out.write([]byte("two\nthree\n")); lost != 2 || err == nil {
		t.Errorf("lost %d, %v; want 2 and an error", lost, err)
	}
}

func TestManyWritersShareALog(t *testing.T) {
	s := new(sink)
	l := New(s, JSON)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			e := refused()
			for range 500 {
				l.Write(&e)
				_ = l.Dropped()
			}
		})
	}
	all.Wait()
	closed(t, l)
	if got := uint64(s.lines()) + l.Dropped(); got != 4000 {
		t.Errorf("%d lines written or counted as dropped, want 4000", got)
	}
	for line := range strings.Lines(s.String()) {
		if !json.Valid([]byte(line)) {
			t.Fatalf("torn line %q", line)
		}
	}
}

func TestALineLongerThanUsualIsWrittenWhole(t *testing.T) {
	s := new(sink)
	l := New(s, JSON)
	l.Write(&Entry{RequestID: bytes.Repeat([]byte("x"), 10*lineSize)})
	l.Write(&Entry{RequestID: bytes.Repeat([]byte("x"), bufferSize)})
	closed(t, l)
	if s.lines() != 1 || l.Dropped() != 1 || len(s.String()) < 10*lineSize {
		t.Errorf("%d lines of %d bytes, %d dropped", s.lines(), len(s.String()), l.Dropped())
	}
}
