package main

import (
	"context"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/internal/accesslog"
	"github.com/chatshipper/gateway/internal/config"
)

// runGateway runs the gateway until a signal ends ctx.
func runGateway(ctx context.Context, args []string, c console) error {
	path, cfg, err := configFlag("run", args, c)
	if err != nil {
		return err
	}
	n, err := build(cfg, c, newReloads())
	if err != nil {
		return misconfigured(path, err)
	}
	for _, warning := range cfg.Warnings() {
		n.logger.Warn(warning)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	following, stop := context.WithCancel(ctx)
	defer stop()
	return n.serve(ctx, func(_, _ net.Addr) { go n.follow(following, path, hup) })
}

func buildLabels() prometheus.Labels {
	return prometheus.Labels{"version": version, "commit": revision(), "goversion": runtime.Version()}
}

func accessOptions(cfg config.Log) accesslog.Options {
	return accesslog.Options{OneIn: cfg.Sample.OneIn, Refusals: cfg.Sample.Refusals, ClientIP: cfg.ClientIP}
}

func accessFormat(cfg config.Log) accesslog.Format {
	if cfg.Format == "text" {
		return accesslog.Text
	}
	return accesslog.JSON
}
