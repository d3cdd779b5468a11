package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/chatshipper/gateway/internal/config"
)

// pollInterval is how often the configuration file, and those of its secrets, are
// looked at. Their content is compared, not their times: Kubernetes swaps a
// symbolic link two levels up, which watchers of a file miss.
const pollInterval = 2 * time.Second

// live are the values that a reload puts in force although the rest of their
// block is fixed at the start.
var live = []string{
	"listen.trusted_proxies", "listen.max_requests_in_flight", "upstream.preserve_host", "admin.token_file",
	"log.level", "log.client_ip", "log.sample.one_in", "log.sample.refusals_per_minute", "tracing.sample_ratio",
}

// reloads takes the wishes for a reload to the one goroutine that reloads.
type reloads struct {
	wishes chan chan<- reloaded
	over   chan struct{} // closed when nobody reloads any more
}

func newReloads() *reloads { return &reloads{make(chan chan<- reloaded), make(chan struct{})} }

// reloaded is what became of a reload.
type reloaded struct {
	needsRestart []string
	err          error
}

// ask waits for a reload and returns what became of it.
func (r *reloads) ask(ctx context.Context) (needsRestart []string, err error) {
	done := make(chan reloaded, 1)
	select {
	case r.wishes <- done:
	case <-r.over:
		return nil, errors.New("cannot reload: the gateway is stopping")
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot reload: %w", ctx.Err())
	}
	result := <-done
	return result.needsRestart, result.err
}

// follow reloads the configuration on SIGHUP, when it is asked to, and when its
// content or that of a secret's file changes, and renews certificates, until ctx
// ends.
func (n *node) follow(ctx context.Context, path string, hup <-chan os.Signal) {
	defer close(n.reloads.over)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	seen := make(contents)
	seen.note(n.filesOf(path))
	for {
		var asked chan<- reloaded
		select {
		case <-ctx.Done():
			return
		case <-hup:
		case asked = <-n.reloads.wishes:
		case <-ticker.C:
			n.look()
			if !seen.differ() {
				continue
			}
		}
		n.tell("RELOADING=1")
		n.look()
		seen.differ() // whatever changes from here on is seen by the next look
		restart, err := n.reload(path)
		seen.note(n.filesOf(path))
		n.tell("READY=1")
		if asked != nil {
			asked <- reloaded{restart, err}
		}
	}
}

// filesOf lists what a reload would read.
func (n *node) filesOf(path string) []string { return append(n.current.SecretFiles(), path) }

// contents are the digests of files when they were last looked at.
type contents map[string][sha256.Size]byte

// note begins to look at files, and forgets those that are not among them.
func (c contents) note(files []string) {
	maps.DeleteFunc(c, func(file string, _ [sha256.Size]byte) bool { return !slices.Contains(files, file) })
	for _, file := range files {
		if _, known := c[file]; !known {
			c[file] = contentOf(file)
		}
	}
}

// differ looks again, and reports whether any file is another than before.
func (c contents) differ() (changed bool) {
	for file, before := range c {
		if now := contentOf(file); now != before {
			c[file], changed = now, true
		}
	}
	return changed
}

// contentOf is the digest of a file; a file that can't be read has the digest of
// an empty one, so that its return is a change.
func contentOf(path string) [sha256.Size]byte {
	data, _ := os.ReadFile(path)
	return sha256.Sum256(data)
}

// reload is all or nothing: a configuration with a mistake leaves the last good
// one in force.
func (n *node) reload(path string) (needsRestart []string, err error) {
	var fixed []string
	cfg, err := config.Load(path, os.LookupEnv)
	if err == nil {
		err = cfg.ContentsSince(n.current)
	}
	if err == nil {
		fixed, err = n.apply(cfg)
	}
	if err != nil {
		n.reloaded.Set(0)
		n.known.refused(err)
		n.logger.Error("configuration was not reloaded; the last good one stays in force", "error", err)
		return nil, err
	}
	needsRestart = n.outOfReach(cfg, fixed)
	n.reloaded.Set(1)
	n.reloadedAt.SetToCurrentTime()
	n.known.adopted(cfg, &lastReload{At: time.Now().UTC().Truncate(time.Second), Successful: true, NeedsRestart: needsRestart})
	n.logger.Info("configuration was reloaded", "changed", n.current.Changes(cfg), "needs_restart", needsRestart)
	n.current = cfg
	for _, warning := range cfg.Warnings() {
		n.logger.Warn(warning)
	}
	return needsRestart, nil
}

// apply puts a configuration in force and returns the blocks that can't be, now.
// Whatever can fail comes before whatever takes effect.
func (n *node) apply(cfg *config.Config) (fixed []string, err error) {
	admit, err := n.admin.Prepare(cfg.Admin)
	if err != nil {
		return nil, err
	}
	if fixed, err = n.gateway.Reload(corridor(cfg)); err != nil {
		return nil, err
	}
	admit()
	n.level.Set(levelOf(cfg.Log))
	n.tracer.SetRatio(cfg.Tracing.SampleRatio)
	if n.access != nil {
		n.access.Configure(accessOptions(cfg.Log))
	}
	return append(fixed, "admin", "log", "store", "tracing"), nil
}

// outOfReach names the values of fixed blocks that differ from those of the
// start, and so need a restart.
func (n *node) outOfReach(cfg *config.Config, fixed []string) []string {
	paths := []string{}
	for _, path := range n.cfg.Changes(cfg) {
		block, _, _ := strings.Cut(path, ".")
		if slices.Contains(fixed, block) && !slices.Contains(live, path) {
			paths = append(paths, path)
		}
	}
	return paths
}
