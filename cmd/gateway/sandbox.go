package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/chatshipper/gateway/internal/sandbox"
)

// runSandbox runs only the sandbox, until a signal ends ctx.
func runSandbox(ctx context.Context, args []string, c console) error {
	fs := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	listen := fs.String("listen", "127.0.0.1:8081", "`ADDR` of the sandbox")
	if err := parseFlags(fs, args, c); err != nil {
		return err
	}
	sb, err := startSandbox(*listen)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(c.out, "The sandbox speaks the ChatShipper API on http://%s\n\n", sb.addr)
	sb.printTokens(c.out)
	_, _ = fmt.Fprintf(c.out, "\nSpeak as the consumer:\n  curl -s -X POST http://%s/sandbox/say -d '{\"conversation\":\"%s\",\"text\":\"Where is it?\"}'\n",
		sb.addr, sb.api.ConversationID())
	select {
	case err = <-sb.failed:
	case <-ctx.Done():
	}
	return errors.Join(err, sb.stop())
}

// runningSandbox is a sandbox that serves on a listener.
type runningSandbox struct {
	api    *sandbox.Sandbox
	addr   net.Addr
	server *http.Server
	failed chan error
}

func startSandbox(address string) (*runningSandbox, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for the sandbox: %w", err)
	}
	s := &runningSandbox{api: sandbox.New(sandbox.Options{}), addr: ln.Addr(), failed: make(chan error, 1)}
	s.server = &http.Server{Handler: s.api.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := s.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("cannot serve the sandbox: %w", err)
		}
	}()
	return s, nil
}

func (s *runningSandbox) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s.api.Close()
	if err := s.server.Shutdown(ctx); err != nil {
		return errors.Join(s.server.Close()) // a client still hangs on; there is nothing to lose
	}
	return nil
}

// printTokens lists the ready-made users, in words that a shell can read.
func (s *runningSandbox) printTokens(w io.Writer) {
	_, _ = fmt.Fprintln(w, "Ready-made tokens (they work in this sandbox only):")
	for _, user := range s.api.Credentials() {
		_, _ = fmt.Fprintf(w, "  %-13s %s\n", user.Name, user.Token)
	}
}
