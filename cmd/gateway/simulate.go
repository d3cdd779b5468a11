package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/chatshipper/gateway/internal/config"
	"github.com/chatshipper/gateway/internal/rehearse"
)

// runSimulate replays access logs through a configuration, or two.
func runSimulate(ctx context.Context, args []string, c console) error {
	fs := flag.NewFlagSet("simulate", flag.ContinueOnError)
	fresh := fs.String("config", "", "configuration `FILE` to try")
	against := fs.String("against", "", "configuration `FILE` to compare it with, such as the one in force")
	top := fs.Int("top", 10, "how many of the most refused clients, keys and conversations to list")
	addresses := fs.Bool("addresses", false, "list clients of a common or combined log by address instead of a digest")
	logs, err := parseFiles(fs, args, c)
	if err != nil {
		return err
	}
	if *fresh == "" || *top < 0 {
		return usageError("gateway simulate: --config FILE is required, and --top must be at least 0")
	}
	how := rehearse.Shown{Names: []string{*fresh}, Top: *top, Addresses: *addresses}
	if *against != "" {
		how.Names = append(how.Names, *against)
	}
	houses, err := housesOf(how.Names)
	if err != nil {
		return &failure{exitConfig, err}
	}
	s := rehearse.NewSimulation(houses...)
	for _, log := range logs {
		if err := replay(ctx, s, log, c); err != nil {
			return err
		}
	}
	s.End()
	if s.Judged == 0 {
		return fmt.Errorf("no request was found in %s lines; expected the gateway's JSON access log, or the common or combined log format", fmt.Sprint(s.Lines))
	}
	return s.WriteReport(c.out, how)
}

func housesOf(paths []string) (houses []*rehearse.House, err error) {
	for _, path := range paths {
		cfg, problem := config.Load(path, os.LookupEnv)
		if problem != nil {
			err = errors.Join(err, problem)
			continue
		}
		h, problem := rehearse.New(corridor(cfg))
		if problem != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", path, problem))
			continue
		}
		houses = append(houses, h)
	}
	return houses, err
}

// replay reads one log; `-` is standard input.
func replay(ctx context.Context, s *rehearse.Simulation, path string, c console) error {
	in, size := io.Reader(os.Stdin), int64(0)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("cannot open the log: %w", err)
		}
		defer func() { _ = f.Close() }() // only read from
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		in = f
	}
	m := newMeter(in, c.err, path, size)
	err := s.Read(m.stoppedBy(ctx), func() { m.show(s.Lines) })
	m.clear()
	return err
}
