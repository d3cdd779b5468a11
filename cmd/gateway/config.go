package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/chatshipper/gateway"
	"github.com/chatshipper/gateway/internal/config"
)

// configFlag reads the --config flag of a command and loads the file.
func configFlag(name string, args []string, c console) (path string, cfg *config.Config, err error) {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	file := fs.String("config", "", "configuration `FILE` (YAML)")
	if err := parseFlags(fs, args, c); err != nil {
		return "", nil, err
	}
	cfg, err = load(name, *file)
	return *file, cfg, err
}

// load reads the file that a command was given.
func load(name, file string) (*config.Config, error) {
	if file == "" {
		return nil, usageError(fmt.Sprintf("gateway %s: --config FILE is required", name))
	}
	cfg, err := config.Load(file, os.LookupEnv)
	if err != nil {
		return nil, &failure{exitConfig, err}
	}
	return cfg, nil
}

// misconfigured is the failure of a start for what the file at path says.
func misconfigured(path string, err error) error {
	if mistakes := (*config.Mistakes)(nil); !errors.As(err, &mistakes) { // which name the file themselves
		err = fmt.Errorf("%s: %w", path, err)
	}
	return &failure{exitConfig, err}
}

// runConfig prints the effective configuration, or what helps to write one.
func runConfig(_ context.Context, args []string, c console) error {
	fs := flag.NewFlagSet("config", flag.ContinueOnError)
	file := fs.String("config", "", "configuration `FILE` (YAML) whose effective values are printed")
	schema := fs.Bool("schema", false, "print the JSON Schema of a configuration instead")
	example := fs.Bool("example", false, "print an example with every key instead")
	if err := parseFlags(fs, args, c); err != nil {
		return err
	}
	switch {
	case *schema && *example, (*schema || *example) && *file != "":
		return usageError("gateway config: only one of --config FILE, --schema and --example can be printed at a time")
	case *schema:
		return config.WriteSchema(c.out, gateway.Example)
	case *example:
		_, err := c.out.Write(gateway.Example)
		return err
	}
	cfg, err := load("config", *file)
	if err != nil {
		return err
	}
	return cfg.WriteEffective(c.out)
}
