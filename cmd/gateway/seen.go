package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chatshipper/gateway/internal/admin"
	"github.com/chatshipper/gateway/internal/config"
	webconsole "github.com/chatshipper/gateway/internal/console"
)

// inForce is the configuration that is in force, and how it came to be.
type inForce struct {
	File     string    `json:"file"`      // empty: built in
	Hash     string    `json:"sha256"`    // the first 12 digits of the file's
	LoadedAt time.Time `json:"loaded_at"` // when it was put in force
	// LastReload is the last one that was tried; nil when none was.
	LastReload *lastReload `json:"last_reload,omitempty"`
	Warnings   []string    `json:"warnings,omitempty"`

	text string // all of it, without secrets
}

// lastReload is what became of a reload.
type lastReload struct {
	At           time.Time `json:"at"`
	Successful   bool      `json:"successful"`
	Mistakes     []string  `json:"mistakes,omitempty"`
	NeedsRestart []string  `json:"needs_restart,omitempty"`
}

// stateSight is the gateway's state in words.
type stateSight struct {
	State         string    `json:"state"` // ready, degraded, not ready or draining
	Why           []string  `json:"why,omitempty"`
	Version       string    `json:"version"`
	Commit        string    `json:"commit"`
	Go            string    `json:"go"`
	Started       time.Time `json:"started"`
	Configuration *inForce  `json:"configuration"`
}

// configSight is the whole configuration in force.
type configSight struct {
	YAML string `json:"yaml"` // as `gateway config` prints it: without secrets
}

// known is what the console tells of the configuration; written by whoever
// reloads, read by whoever looks.
type known struct{ atomic.Pointer[inForce] }

// adopted notes a configuration that was put in force.
func (k *known) adopted(cfg *config.Config, reload *lastReload) {
	var text bytes.Buffer
	_ = cfg.WriteEffective(&text) // a buffer takes everything
	path, sum := cfg.File(), sha256.Sum256(text.Bytes())
	if path != "" {
		sum = contentOf(path)
	}
	k.Store(&inForce{
		File: path, Hash: hex.EncodeToString(sum[:6]), LoadedAt: time.Now().UTC().Truncate(time.Second),
		LastReload: reload, Warnings: cfg.Warnings(), text: text.String(),
	})
}

// refused notes a configuration that was not put in force.
func (k *known) refused(err error) {
	next := *k.Load()
	next.LastReload = &lastReload{At: time.Now().UTC().Truncate(time.Second), Mistakes: strings.Split(err.Error(), "\n")}
	k.Store(&next)
}

// newConsole makes the console of the node.
func (n *node) newConsole() *webconsole.Console {
	started, meter := time.Now().UTC().Truncate(time.Second), n.gateway.NewMeter(time.Now())
	var blocked any // limits and blocks come from one look
	return webconsole.New(webconsole.Source{
		Tables: []webconsole.Table{
			{Name: "state", Read: func() any { return n.stateNow(started) }},
			{Name: "limits", Read: func() any {
				limits, blocks := n.gateway.Limits()
				blocked = blocks
				return limits
			}},
			{Name: "blocked", Read: func() any { return blocked }},
			{Name: "upstream", Read: func() any { return n.gateway.Upstream() }},
			{Name: "stores", Read: func() any { return n.gateway.StoresNow() }},
			{Name: "config", Read: func() any { return configSight{n.known.Load().text} }},
		},
		Logs: []webconsole.Log{{Name: "decisions", Read: func(after uint64) (any, uint64) {
			list, last := n.gateway.Decisions(after)
			if len(list) == 0 {
				return nil, last
			}
			return list, last
		}}},
		Point: func(now time.Time) any { return meter.Point(now) },
		Watch: n.gateway.Watch,
	})
}

func (n *node) stateNow(started time.Time) stateSight {
	word, why := n.gateway.State()
	return stateSight{
		State: word, Why: why, Version: version, Commit: revision(), Go: runtime.Version(),
		Started: started, Configuration: n.known.Load(),
	}
}

// doors are the console's, for the admin listener.
func doors(c *webconsole.Console) admin.Console {
	return admin.Console{Shell: c.Shell(), Data: c.Data()}
}

// watch runs the console until it is stopped; then every open page is let go.
func watch(c *webconsole.Console) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		c.Run(ctx)
		close(over)
	}()
	return func() {
		cancel()
		<-over
		c.Close()
	}
}
