package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/internal/config"
	"github.com/chatshipper/gateway/internal/trace"
)

// flushTime bounds what a drain waits for the collector, once the requests are
// done: its spans are worth less than an orderly end.
const flushTime = 5 * time.Second

// openTracing makes what exports spans; nil when it is turned off.
func openTracing(cfg *config.Config, logger *slog.Logger) (*trace.Tracer, error) {
	var id [16]byte
	_, _ = rand.Read(id[:])  // never fails
	host, _ := os.Hostname() // left out when it is not known
	return trace.New(cfg.Tracing, trace.Deps{
		Version: version, Instance: hex.EncodeToString(id[:]), Host: host, Logger: logger,
	})
}

// flush sends the spans that wait.
func flush(t *trace.Tracer) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	t.Close(ctx)
}

// measureTracing makes the series of the export, which are there and 0 without
// one, too.
func (n *node) measureTracing() {
	n.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "gateway_tracing_spans_exported_total", Help: "Spans that the collector of tracing.otlp_endpoint took.",
	}, func() float64 { return float64(n.tracer.Exported()) }))
	for why := range trace.Losses {
		n.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "gateway_tracing_spans_dropped_total", Help: "Spans that were lost, by reason; no request waits for one.",
			ConstLabels: prometheus.Labels{"reason": why.String()},
		}, func() float64 { return float64(n.tracer.Dropped(why)) }))
	}
}
