package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/chatshipper/gateway/proxy"
)

// sight is what the console shows, as /admin/v1/overview tells it.
type sight struct {
	At     time.Time     `json:"at"`
	Points []proxy.Point `json:"points"`
	Tables struct {
		State    stateSight         `json:"state"`
		Limits   []proxy.LimitSight `json:"limits"`
		Blocked  []proxy.Block      `json:"blocked"`
		Upstream proxy.Upstream     `json:"upstream"`
		Stores   []proxy.StoreSight `json:"stores"`
	} `json:"tables"`
	Logs struct {
		Decisions []proxy.Decision `json:"decisions"`
	} `json:"logs"`
}

// What a terminal is told: another screen without a cursor, and back again; the
// first column of the first line; to forget the rest of a line, and of the screen.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	restOfLine  = "\x1b[K"
	restBelow   = "\x1b[J"
)

// onceColumns and onceLines are the size of a frame that no terminal shows: its
// lines are whole.
const (
	onceColumns = 1000
	onceLines   = 60
)

// runTop shows a running gateway in a terminal, until it is interrupted.
func runTop(ctx context.Context, args []string, c console) error {
	fs := flag.NewFlagSet("top", flag.ContinueOnError)
	listener := addAdminFlags(fs)
	once := fs.Bool("once", false, "print one frame without control codes, and end")
	raw := fs.Bool("json", false, "print the answer as it comes, and end")
	if err := parseFlags(fs, args, c); err != nil {
		return err
	}
	where, err := listener.where()
	if err != nil {
		return err
	}
	screen, isFile := c.out.(*os.File)
	switch {
	case *raw:
		answer, err := where.get(ctx, "/admin/v1/overview")
		if err == nil {
			_, err = c.out.Write(answer)
		}
		return err
	case *once || !isFile || !isTerminal(screen):
		s, err := where.see(ctx)
		if err == nil {
			_, err = io.WriteString(c.out, strings.Join(s.frame(plain, onceColumns, onceLines), "\n")+"\n")
		}
		return err
	}
	return where.top(ctx, screen)
}

// see asks for everything, with a minute of points.
func (a adminOf) see(ctx context.Context) (s sight, err error) {
	answer, err := a.get(ctx, "/admin/v1/overview?points=60")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(answer, &s); err != nil {
		return s, fmt.Errorf("cannot read the answer of the gateway: %w", err)
	}
	return s, nil
}

// top draws a frame every second. A gateway that can't be reached is waited for.
func (a adminOf) top(ctx context.Context, screen *os.File) error {
	_, _ = io.WriteString(screen, enterScreen)
	defer func() { _, _ = io.WriteString(screen, leaveScreen) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	style := styled
	if os.Getenv("NO_COLOR") != "" {
		style = plain
	}
	var last sight
	for {
		s, err := a.see(ctx)
		if err == nil {
			last = s
		}
		columns, lines := sizeOf(screen)
		if columns == 0 || lines == 0 {
			columns, lines = 80, 24
		}
		rows := last.frame(style, columns, lines)
		if err != nil && ctx.Err() == nil {
			rows = append(last.missed(err, style, columns), rows...)
			rows = rows[:min(len(rows), lines)]
		}
		if _, err := io.WriteString(screen, home+strings.Join(rows, restOfLine+"\r\n")+restOfLine+restBelow); err != nil {
			return fmt.Errorf("cannot draw: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
