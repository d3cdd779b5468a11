package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/chatshipper/gateway/internal/config"
	"github.com/chatshipper/gateway/internal/redisstore"
	"github.com/chatshipper/gateway/internal/trace"
	"github.com/chatshipper/gateway/internal/upstream"
)

// onlineWait bounds what `gateway check --online` waits for each answer.
const onlineWait = 10 * time.Second

// runCheck validates a configuration, files that it names included, and does
// everything that `gateway run` does before it listens.
func runCheck(ctx context.Context, args []string, c console) error {
	fs := flag.NewFlagSet("check", flag.ContinueOnError)
	file := fs.String("config", "", "configuration `FILE` (YAML)")
	online := fs.Bool("online", false, "also try what the gateway needs to reach: the upstream, Redis, the collector of traces")
	if err := parseFlags(fs, args, c); err != nil {
		return err
	}
	cfg, err := load("check", *file)
	if err != nil {
		return err
	}
	n, err := build(cfg, console{c.out, io.Discard}, nil) // what it would log is told below
	if err != nil {
		return misconfigured(*file, err)
	}
	warnings := cfg.Warnings()
	if n.stores.lost != nil {
		warnings = append(warnings, fmt.Sprintf("store.memory.snapshot_file: the counts would begin empty: %v", n.stores.lost))
	}
	for _, warning := range warnings {
		_, _ = fmt.Fprintf(c.err, "%s: warning: %s\n", *file, warning)
	}
	if *online {
		if err := tryPeers(ctx, *file, cfg, c); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(c.out, "%s: fine\n", *file)
	return err
}

// peer is something that the gateway needs to reach.
type peer struct {
	name string
	try  func(ctx context.Context) error
}

// peers lists what a configuration makes the gateway depend on.
func peers(cfg *config.Config) []peer {
	list := upstreams(cfg)
	if cfg.Store.Kind == "redis" {
		list = append(list, peer{"store " + strings.Join(cfg.Store.Redis.Addresses, ", "), func(ctx context.Context) error {
			return redisstore.Check(ctx, cfg.Store.Redis)
		}})
	}
	if cfg.Tracing.OTLPEndpoint != "" {
		list = append(list, peer{"collector " + cfg.Tracing.OTLPEndpoint, func(ctx context.Context) error {
			return trace.Check(ctx, cfg.Tracing, version)
		}})
	}
	return list
}

// upstreams lists the addresses of the upstream.
func upstreams(cfg *config.Config) []peer {
	if len(cfg.Upstream.Addresses) == 0 {
		return []peer{{"upstream " + cfg.Upstream.URL, func(ctx context.Context) error { return tryUpstream(ctx, cfg.Upstream, nil) }}}
	}
	var list []peer
	for _, address := range cfg.Upstream.Addresses {
		list = append(list, peer{"upstream " + cfg.Upstream.URL + " at " + address, func(ctx context.Context) error {
			return tryUpstream(ctx, cfg.Upstream, []string{address})
		}})
	}
	return list
}

// tryPeers asks every peer, so that all that is out of reach is known at once.
func tryPeers(ctx context.Context, file string, cfg *config.Config, c console) error {
	var failed []error
	for _, p := range peers(cfg) {
		began := time.Now()
		asking, cancel := context.WithTimeout(ctx, onlineWait)
		err := p.try(asking)
		cancel()
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: cannot use %s: %w", file, p.name, err))
			continue
		}
		_, _ = fmt.Fprintf(c.out, "%s: %s answered within %s\n", file, p.name, time.Since(began).Round(time.Millisecond))
	}
	return errors.Join(failed...)
}

// tryUpstream asks for the path of the health check, at an address or where the
// URL says. Without a path any answer will do: an API need not have anything at /.
func tryUpstream(ctx context.Context, cfg upstream.Config, at []string) error {
	client, err := upstream.New(cfg)
	if err != nil {
		return err
	}
	if at != nil {
		client = client.At(at, nil)
	}
	defer client.Close()
	err = client.Check(ctx)
	if unreachable := (*upstream.Error)(nil); cfg.HealthCheck.Path == "" && !errors.As(err, &unreachable) {
		return nil
	}
	return err
}
