package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// meter reads a file and shows how far it has come, where a person looks on.
type meter struct {
	in      io.Reader
	out     io.Writer // nil: nobody looks on
	ctx     context.Context
	name    string
	size    int64 // bytes; 0 when not known
	read    int64
	started time.Time
	shown   time.Time
}

// meterEvery is the time between two looks of the bar.
const meterEvery = 100 * time.Millisecond

func newMeter(in io.Reader, out io.Writer, name string, size int64) *meter {
	m := &meter{in: in, name: name, size: size, started: time.Now()}
	if f, ok := out.(*os.File); ok && isTerminal(f) {
		m.out = out
	}
	return m
}

// stoppedBy makes reads end with ctx, so that Ctrl-C ends a long simulation.
func (m *meter) stoppedBy(ctx context.Context) *meter {
	m.ctx = ctx
	return m
}

// Read reads on, and counts.
func (m *meter) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.in.Read(p)
	m.read += int64(n)
	return n, err
}

func (m *meter) show(lines uint64) {
	if now := time.Now(); m.out != nil && now.Sub(m.shown) >= meterEvery {
		m.shown = now
		_, _ = io.WriteString(m.out, "\r"+bar(m.name, m.read, m.size, lines, now.Sub(m.started))+"\x1b[K")
	}
}

func (m *meter) clear() {
	if m.out != nil {
		_, _ = io.WriteString(m.out, "\r\x1b[K")
	}
}

// bar is one look: how much of the file, how many lines, how fast, how long yet.
func bar(name string, read, size int64, lines uint64, took time.Duration) string {
	const width = 30
	rate := float64(lines) / max(took.Seconds(), 0.001)
	speed := fmt.Sprintf("%d lines, %.0f lines/s", lines, rate)
	if size <= 0 {
		return name + "  " + speed
	}
	share := min(1, float64(read)/float64(size))
	full := int(share * width)
	left := time.Duration(float64(took) * (1 - share) / max(share, 0.001)).Round(time.Second)
	return fmt.Sprintf("%s  [%s%s] %3.0f %%  %s, %s left", name, strings.Repeat("=", full), strings.Repeat(" ", width-full), share*100, speed, left)
}
