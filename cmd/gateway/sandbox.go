package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/chatshipper/gateway/internal/sandbox"
	"github.com/chatshipper/gateway/internal/unit"
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

// reportTo makes the sandbox report messages to a webhook, signed with a secret,
// as an administrator of ChatShipper would set it up.
func (s *runningSandbox) reportTo(url string, secret unit.Secret) error {
	body, err := json.Marshal(map[string]any{"name": "gateway", "type": "webhook", "params": map[string]any{
		"url": url, "secret": secret.Reveal(), "events": []string{"message.create"},
	}})
	if err != nil {
		return fmt.Errorf("cannot write the webhook: %w", err)
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+s.addr.String()+"/v2/services", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("cannot write the webhook: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+s.api.Credential("admin").Token)
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return fmt.Errorf("cannot create the webhook: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("cannot create the webhook: the sandbox answered %s", resp.Status)
	}
	return nil
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
