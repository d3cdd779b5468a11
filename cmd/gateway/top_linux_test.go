package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is both ends of a pseudo-terminal of 100 columns and 30 lines.
func terminal(t *testing.T) (mine, theirs *os.File) {
	t.Helper()
	mine, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mine.Close() })
	number, err := unix.IoctlGetInt(int(mine.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(mine.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(theirs.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 100, Row: 30})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	return mine, theirs
}

// On a terminal it draws until it is interrupted, outlives a gateway that is away
// for a moment, and leaves the terminal as it was.
func TestTopOnATerminal(t *testing.T) {
	overview, err := os.ReadFile("testdata/overview.json")
	if err != nil {
		t.Fatal(err)
	}
	asked, away := make(chan string, 8), true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Authorization") + " " + r.URL.String()
		if away = !away; away {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"message":"just a moment"}`)
			return
		}
		_, _ = w.Write(overview)
	}))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	token := t.TempDir() + "/token"
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mine, theirs := terminal(t)
	ctx, interrupt := context.WithCancel(t.Context())
	drawn := make(chan string, 1)
	go func() {
		var all strings.Builder
		buf := make([]byte, 64<<10)
		for !strings.Contains(all.String(), leaveScreen) {
			n, err := mine.Read(buf)
			all.Write(buf[:n])
			if strings.Contains(all.String(), "just a moment") { // the second answer
				interrupt()
			}
			if err != nil {
				break
			}
		}
		drawn <- all.String()
	}()
	ended := make(chan error, 1)
	go func() {
		ended <- runTop(ctx, []string{"--admin", server.Listener.Addr().String(), "--token-file", token}, console{theirs, theirs})
	}()
	for range 2 {
		if got := <-asked; got != "Bearer secret /admin/v1/overview?points=60" {
			t.Errorf("asked %q", got)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	got := <-drawn
	for _, want := range []string{enterScreen, styled.strong + "gateway degraded", "just a moment", "What follows is of ", restBelow, leaveScreen} {
		if !strings.Contains(got, want) {
			t.Errorf("%q was not drawn in %q", want, got)
		}
	}
}
