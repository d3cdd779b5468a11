package main

import (
	"context"
	"crypto/sha256"
	"os"
	"reflect"
	"time"

	"github.com/chatshipper/gateway/internal/config"
)

// pollInterval is how often the configuration file is looked at. Its content is
// compared, not its times: Kubernetes swaps a symbolic link two levels up, which
// watchers of a file miss.
const pollInterval = 2 * time.Second

// follow reloads the configuration on SIGHUP and when the file's content changes,
// until ctx ends.
func (n *node) follow(ctx context.Context, path string, hup <-chan os.Signal) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	seen := contentOf(path)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		case <-ticker.C:
			if contentOf(path) == seen {
				continue
			}
		}
		seen = contentOf(path)
		n.reload(path)
	}
}

// contentOf is the digest of a file; a file that can't be read has the digest of
// an empty one, so that its return is a change.
func contentOf(path string) [sha256.Size]byte {
	data, _ := os.ReadFile(path)
	return sha256.Sum256(data)
}

// reload is all or nothing: a configuration with a mistake leaves the last good
// one in force.
func (n *node) reload(path string) {
	cfg, err := config.Load(path, os.LookupEnv)
	var restart []string
	if err == nil {
		restart, err = n.gateway.Reload(corridor(cfg))
	}
	if err != nil {
		n.reloaded.Set(0)
		n.logger.Error("configuration was not reloaded; the last good one stays in force", "error", err)
		return
	}
	for _, block := range []struct {
		name     string
		now, was any
	}{{"admin", cfg.Admin, n.cfg.Admin}, {"log", cfg.Log, n.cfg.Log}} {
		if !reflect.DeepEqual(block.now, block.was) {
			restart = append(restart, block.name)
		}
	}
	n.reloaded.Set(1)
	n.reloadedAt.SetToCurrentTime()
	n.logger.Info("configuration was reloaded", "needs_restart", restart)
	for _, warning := range cfg.Warnings() {
		n.logger.Warn(warning)
	}
}
