package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/chatshipper/gateway/internal/accesslog"
	"github.com/chatshipper/gateway/internal/admin"
	"github.com/chatshipper/gateway/internal/config"
	webconsole "github.com/chatshipper/gateway/internal/console"
	"github.com/chatshipper/gateway/internal/systemd"
	"github.com/chatshipper/gateway/internal/trace"
	"github.com/chatshipper/gateway/proxy"
)

// node is one running gateway: the data path and its admin listener.
type node struct {
	cfg     *config.Config // as it was at the start
	current *config.Config // as it was last reloaded
	logger  *slog.Logger
	level   *slog.LevelVar
	access  *accesslog.Log
	gateway *proxy.Gateway
	admin   *admin.Server
	console *webconsole.Console
	known   known
	certificates
	reloads *reloads // nil: nobody follows a file
	manager systemd.Manager
	stores  *stores
	tracer  *trace.Tracer // nil: off

	registry             *prometheus.Registry
	reloaded, reloadedAt prometheus.Gauge
}

// build makes everything that a configuration names, short of listening: what
// fails here is the configuration's fault. With reloads, they can be asked for.
func build(cfg *config.Config, c console, r *reloads) (*node, error) {
	if err := cfg.Contents(); err != nil {
		return nil, err
	}
	n := &node{cfg: cfg, current: cfg, level: new(slog.LevelVar), reloads: r, manager: systemd.New(os.Getenv)}
	n.level.Set(levelOf(cfg.Log))
	n.logger = newLogger(cfg.Log, c.err, n.level)
	if cfg.Log.Access {
		n.access = accesslog.New(c.out, accessFormat(cfg.Log))
		n.access.Configure(accessOptions(cfg.Log))
	}
	n.registry = n.newRegistry()
	var err error
	if n.certificates, err = loadCertificates(cfg); err != nil {
		return nil, err
	}
	n.measure(n.registry)
	n.measureTracing()
	if n.tracer, err = openTracing(cfg, n.logger); err != nil {
		return nil, err
	}
	if n.stores, err = openStores(cfg.Store, n.logger); err != nil {
		return nil, err
	}
	n.gateway, err = proxy.New(corridor(cfg), proxy.Deps{
		Registry: n.registry, Logger: n.logger, Access: n.access, TLS: n.server("listen"), Stores: n.stores.Stores, Tracer: n.tracer, ClockOffset: clockOffset(),
	})
	if err != nil {
		return nil, err
	}
	n.known.adopted(cfg, nil)
	n.console = n.newConsole()
	deps := admin.Deps{
		Registry: n.registry, Ready: n.gateway.NotReady, API: n.api(), Console: doors(n.console),
		Log: n.logger, Audit: newLogger(cfg.Log, c.err, slog.LevelInfo), TLS: n.server("admin"),
	}
	if r != nil {
		deps.Reload = r.ask
	}
	n.admin, err = admin.New(cfg.Admin, deps)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// corridor is the part of the configuration that the data path obeys.
func corridor(cfg *config.Config) proxy.Config {
	return proxy.Config{
		Listen: cfg.Listen, Upstream: cfg.Upstream, Identity: cfg.Identity, Methods: cfg.Methods,
		Limits: cfg.Limits, LoopGuard: cfg.LoopGuard, Webhook: cfg.Webhook, Errors: cfg.Errors,
		MemoryBytes: int64(cfg.Store.Memory.MaxBytes),
	}
}

// clockOffset is how wrong the end-to-end tests want the clock to be; else 0.
func clockOffset() time.Duration {
	if clockOffsetFrom == "" {
		return 0
	}
	offset, _ := time.ParseDuration(os.Getenv(clockOffsetFrom)) // unset is none
	return offset
}

// serve opens the listeners, calls ready, and answers until ctx ends; then it
// drains. It returns nil after an orderly end.
func (n *node) serve(ctx context.Context, ready func(public, admin net.Addr)) error {
	public, err := listen(n.manager, "listen", n.cfg.Listen.Address)
	if err != nil {
		return err
	}
	private, err := listen(n.manager, "admin", n.cfg.Admin.Address)
	if err != nil {
		return errors.Join(err, public.Close())
	}
	failed := make(chan error, 2)
	settle := n.stores.tend(n.cfg.Store.Memory.SnapshotInterval, n.gateway.Now)
	unwatch := watch(n.console)
	go func() { failed <- n.gateway.Serve(public) }()
	go func() { failed <- n.admin.Serve(private) }()
	ready(public.Addr(), private.Addr())
	go unmapProgram()
	n.logger.Info("gateway is serving", "address", public.Addr().String(), "admin", private.Addr().String(), "version", version)
	n.tell("READY=1")
	beating, still := context.WithCancel(context.Background()) // on through the drain
	defer still()
	go n.beat(beating, public.Addr())
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	err = errors.Join(err, n.stop(unwatch))
	settle()
	n.logger.Info("gateway has stopped")
	return err
}

// stop drains: not ready but serving for shutdown_delay, then what is in flight
// within drain_timeout. Those who watch see it to the end.
func (n *node) stop(unwatch func()) error {
	n.logger.Info("gateway is draining", "delay", n.cfg.Listen.ShutdownDelay.String(), "timeout", n.cfg.Listen.DrainTimeout.String())
	n.stopping()
	n.gateway.Withdraw()
	time.Sleep(n.cfg.Listen.ShutdownDelay)
	ctx, cancel := context.WithTimeout(context.Background(), n.cfg.Listen.DrainTimeout)
	defer cancel()
	if err := n.gateway.Shutdown(ctx); err != nil {
		n.logger.Warn("gateway cut off requests in flight", "error", err)
	}
	flush(n.tracer)
	unwatch()
	err := n.admin.Shutdown(ctx)
	if n.access != nil {
		err = errors.Join(err, n.access.Close())
	}
	return err
}

func (n *node) newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string, labels prometheus.Labels, value float64) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "gateway_" + name, Help: help, ConstLabels: labels})
		g.Set(value)
		registry.MustRegister(g)
		return g
	}
	gauge("build_info", "What is running; always 1.", buildLabels(), 1)
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "gateway_access_log_dropped_total", Help: "Lines of the access log that were lost: its writer failed or could not keep up.",
	}, n.dropped))
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "gateway_access_log_skipped_total", Help: "Requests without a line in the access log, because log.sample says so.",
	}, n.skipped))
	n.reloaded = gauge("config_last_reload_successful", "1 when the newest configuration was accepted.", nil, 1)
	n.reloadedAt = gauge("config_last_reload_success_timestamp_seconds", "When the running configuration was loaded.", nil, float64(time.Now().Unix()))
	return registry
}

// skipped is how many requests got no line on purpose.
func (n *node) skipped() float64 {
	if n.access == nil {
		return 0
	}
	return float64(n.access.Skipped())
}

// dropped is how many lines the access log lost.
func (n *node) dropped() float64 {
	if n.access == nil {
		return 0
	}
	return float64(n.access.Dropped())
}

func newLogger(cfg config.Log, w io.Writer, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func levelOf(cfg config.Log) (level slog.Level) {
	_ = level.UnmarshalText([]byte(cfg.Level)) // validated with the configuration
	return level
}
