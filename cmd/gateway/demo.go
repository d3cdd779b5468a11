package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/chatshipper/gateway/internal/config"
	"github.com/chatshipper/gateway/internal/unit"
)

// tour is what the demo prints: every command in it works when it is pasted
// into a shell.
//
//go:embed demo.txt
var tour string

// runDemo runs the gateway in front of the sandbox, both on loopback, with no
// file and no set-up.
func runDemo(ctx context.Context, args []string, c console) error {
	cfg := config.Default()
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	listen := fs.String("listen", "127.0.0.1:8080", "`ADDR` of the gateway")
	admin := fs.String("admin-listen", "127.0.0.1:9900", "`ADDR` of the admin listener")
	upstream := fs.String("sandbox-listen", "127.0.0.1:8081", "`ADDR` of the sandbox")
	if err := parseFlags(fs, args, c); err != nil {
		return err
	}
	sb, err := startSandbox(*upstream)
	if err != nil {
		return elsewhere(err)
	}
	cfg.Listen.Address, cfg.Admin.Address = *listen, *admin
	cfg.Listen.TrustedProxies = []string{"127.0.0.0/8", "::1/128"} // so that one machine can play many clients
	cfg.Upstream.URL = "http://" + sb.addr.String()
	cfg.Log.Access, cfg.Log.Level = false, "warn"
	cfg.Webhook.Secret = unit.Secret(rand.Text())
	n, err := build(&cfg, c, nil)
	if err != nil {
		return errors.Join(err, sb.stop())
	}
	err = n.serve(ctx, func(public, admin net.Addr) {
		if err := sb.reportTo("http://"+public.String()+cfg.Webhook.Path, cfg.Webhook.Secret); err != nil {
			n.logger.Warn("the sandbox will not report replies", "error", err)
		}
		printTour(c.out, sb, public, admin)
	})
	return errors.Join(elsewhere(err), sb.stop())
}

// elsewhere says what to do about a port that somebody else has: whoever starts
// the demo has no configuration to look into.
func elsewhere(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; choose other addresses with --listen, --admin-listen and --sandbox-listen", err)
	}
	return err
}

func printTour(w io.Writer, sb *runningSandbox, public, admin net.Addr) {
	var tokens strings.Builder
	sb.printTokens(&tokens)
	values := strings.NewReplacer(
		"{{gateway}}", "http://"+public.String(), "{{admin}}", "http://"+admin.String(), "{{sandbox}}", "http://"+sb.addr.String(),
		"{{bot}}", sb.api.Credential("bot").Token, "{{bot2}}", sb.api.Credential("second bot").Token,
		"{{agent}}", sb.api.Credential("agent").Token, "{{bot2id}}", sb.api.Credential("second bot").UserID,
		"{{conversation}}", sb.api.ConversationID(), "{{tokens}}", tokens.String(),
	)
	_, _ = values.WriteString(w, tour) // a closed pipe is no reason to stop
}
