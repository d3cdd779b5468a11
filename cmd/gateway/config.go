package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/chatshipper/gateway/internal/config"
)

// configFlag reads the --config flag of a command and loads the file.
func configFlag(name string, args []string, c console) (path string, cfg *config.Config, err error) {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	file := fs.String("config", "", "configuration `FILE` (YAML)")
	if err := parseFlags(fs, args, c); err != nil {
		return "", nil, err
	}
	if *file == "" {
		return "", nil, usageError(fmt.Sprintf("gateway %s: --config FILE is required", name))
	}
	cfg, err = config.Load(*file, os.LookupEnv)
	if err != nil {
		return "", nil, &failure{exitConfig, err}
	}
	return *file, cfg, nil
}

// runCheck validates a configuration, files that it names included.
func runCheck(_ context.Context, args []string, c console) error {
	path, cfg, err := configFlag("check", args, c)
	if err != nil {
		return err
	}
	if _, err := build(cfg, c); err != nil {
		return &failure{exitConfig, fmt.Errorf("%s: %w", path, err)}
	}
	for _, warning := range cfg.Warnings() {
		_, _ = fmt.Fprintf(c.err, "%s: warning: %s\n", path, warning)
	}
	_, err = fmt.Fprintf(c.out, "%s: fine\n", path)
	return err
}

// runConfig prints the effective configuration.
func runConfig(_ context.Context, args []string, c console) error {
	_, cfg, err := configFlag("config", args, c)
	if err != nil {
		return err
	}
	return cfg.WriteEffective(c.out)
}
