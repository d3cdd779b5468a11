package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/chatshipper/gateway/internal/config"
	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/redisstore"
	"github.com/chatshipper/gateway/internal/snapshot"
	"github.com/chatshipper/gateway/proxy"
)

// stores are where the counts are kept, and what looks after them.
type stores struct {
	proxy.Stores
	logger *slog.Logger
	shared *redisstore.Store // nil: the counts are this process's own
	file   *snapshot.File    // nil: a restart forgets them
	lost   error             // why the counts of the last life are not, or not all, in this one
}

// openStores opens what `store:` names. Errors are the configuration's fault; a
// Redis that does not answer is none.
func openStores(cfg config.Store, logger *slog.Logger) (*stores, error) {
	s := &stores{logger: logger}
	bytes := int64(cfg.Memory.MaxBytes)
	switch {
	case cfg.Kind == "redis":
		return s, s.share(cfg.Redis, bytes)
	case cfg.Memory.SnapshotFile != "":
		return s, s.remember(cfg.Memory.SnapshotFile, bytes)
	}
	s.Stores = proxy.MemoryStores(bytes, digest.NewHasher(""))
	return s, nil
}

// share keeps the counts in Redis, where all gateways know what is counted by the
// same names.
func (s *stores) share(cfg redisstore.Config, bytes int64) (err error) {
	s.Stores = proxy.MemoryStores(bytes, digest.NewHasher(cfg.KeySecret.Reveal()))
	s.shared, err = redisstore.Open(cfg, redisstore.Deps{Limits: s.OwnRequests, Messages: s.OwnMessages, Logger: s.logger})
	if err != nil {
		return err
	}
	s.Requests, s.Messages, s.Shared = s.shared, s.shared, s.shared
	return nil
}

// remember keeps the counts in memory, and in a file from one life to the next.
func (s *stores) remember(path string, bytes int64) error {
	file, damaged, err := snapshot.Open(path)
	if err != nil {
		return fmt.Errorf("cannot use store.memory.snapshot_file: %w", err)
	}
	if s.lost = damaged; damaged != nil {
		s.logger.Warn("the counts begin empty", "error", damaged)
	}
	s.Stores = proxy.MemoryStores(bytes, digest.NewHasher(file.Key()))
	if err := file.Restore(s.OwnRequests, s.OwnMessages, time.Now().UnixNano()); err != nil {
		s.lost = err
		s.logger.Warn("the counts begin incomplete", "error", err)
	}
	s.file = file
	return nil
}

// tend writes the snapshot at intervals, until it is told to stop; then it writes
// the last one and lets go of everything.
func (s *stores) tend(interval time.Duration, now func() int64) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	if s.file != nil {
		working.Go(func() {
			for ticker := time.NewTicker(interval); ; s.save(now()) {
				select {
				case <-ticker.C:
				case <-ctx.Done():
					ticker.Stop()
					return
				}
			}
		})
	}
	return func() {
		cancel()
		working.Wait()
		s.save(now())
		if s.shared != nil {
			s.shared.Close()
		}
	}
}

func (s *stores) save(now int64) {
	if s.file == nil {
		return
	}
	if err := s.file.Save(now); err != nil {
		s.logger.Error("counts were not written down; a restart would forget them", "error", err)
	}
}
