package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/chatshipper/gateway/internal/config"
)

// command is one word that `gateway` understands.
type command struct {
	name, usage, help string
	run               func(ctx context.Context, args []string, c console) error
}

func commands() []command {
	return []command{
		{"run", "--config FILE", "run the gateway until SIGTERM or SIGINT, then drain", runGateway},
		{"demo", "[--listen ADDR] [--admin-listen ADDR] [--sandbox-listen ADDR]", "run the gateway in front of the built-in sandbox", runDemo},
		{"sandbox", "[--listen ADDR]", "run only the sandbox, a ChatShipper-compatible API in memory", runSandbox},
		{"check", "[--online] --config FILE", "validate a configuration and list every mistake; online: try the upstream, Redis and the collector of traces too", runCheck},
		{"test", "[--v] [--run REGEXP] FILE…", "play cases of requests in virtual time and say which were not answered as expected", runTest},
		{"simulate", "--config FILE [--against FILE] [--top N] [--addresses] LOG…", "replay access logs through a configuration in virtual time and say who would be refused", runSimulate},
		{"config", "--config FILE | --schema | --example", "print the effective configuration without secrets; or its schema, or an example", runConfig},
		{"healthcheck", "--config FILE", "exit 0 when the running gateway is ready", runHealthcheck},
		{"explain", "[--config FILE | --admin ADDR --token-file FILE] [--ip ADDRESS] [--key KEY | --key-file FILE] [--user ID] [--role ROLE] [--conversation ID] [--message JSON] [--json]", "ask the running gateway how the counters stand that a request would meet", runExplain},
		{"top", "[--config FILE | --admin ADDR --token-file FILE] [--once] [--json]", "show the running gateway as the console does: traffic, blocks, limits and decisions, once a second", runTop},
		{"completion", "--shell SHELL", "print what makes bash, zsh or fish complete this command", runCompletion},
		{"man", "", "print the manual page, for mandoc or man -l", runMan},
		{"version", "", "print version, commit and Go version", runVersion},
	}
}

func dispatch(ctx context.Context, args []string, c console) error {
	if len(args) == 0 {
		return usageError(overview())
	}
	switch name := args[0]; name {
	case "help", "-h", "-help", "--help":
		return help(ctx, args[1:], c)
	case "-version", "--version":
		return runVersion(ctx, args[1:], c)
	default:
		cmd, err := commandOf(name)
		if err != nil {
			return err
		}
		return cmd.run(ctx, args[1:], c)
	}
}

// help prints what every command does, or how the named one is used.
func help(ctx context.Context, args []string, c console) error {
	if len(args) == 0 {
		_, err := io.WriteString(c.out, overview())
		return err
	}
	cmd, err := commandOf(args[0])
	if err != nil {
		return err
	}
	return cmd.run(ctx, []string{"--help"}, c)
}

// commandOf returns the command of a name.
func commandOf(name string) (command, error) {
	names := []string{"help"}
	for _, cmd := range commands() {
		if cmd.name == name {
			return cmd, nil
		}
		names = append(names, cmd.name)
	}
	return command{}, usageError(fmt.Sprintf("unknown command %q%s\n`gateway help` lists the commands.", name, config.Meant(name, names)))
}

func overview() string {
	var b strings.Builder
	b.WriteString("The edge gateway for the ChatShipper API.\n\nUsage:\n")
	for _, cmd := range commands() {
		fmt.Fprintf(&b, "  gateway %s\n        %s\n", strings.TrimSpace(cmd.name+" "+cmd.usage), cmd.help)
	}
	b.WriteString("\nExit codes: 0 fine, 1 the run failed, 2 the command line was wrong, 78 the configuration is wrong.\n")
	return b.String()
}

func usageError(text string) error {
	return &failure{exitUsage, errors.New(strings.TrimRight(text, "\n"))}
}

// parseFlags reads a command's flags. It returns flag.ErrHelp, as a failure of
// code 0, when help was asked for.
func parseFlags(fs *flag.FlagSet, args []string, c console) error {
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	var text strings.Builder
	fs.SetOutput(&text)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printUsage(&text, fs)
		_, _ = io.WriteString(c.out, text.String())
		return &failure{exitOK, errors.New("")}
	case err != nil:
		printUsage(&text, fs)
		return usageError(fmt.Sprintf("gateway %s: %v%s\n\n%s", fs.Name(), err, meantFlag(fs, err), text.String()))
	case fs.NArg() > 0:
		printUsage(&text, fs)
		return usageError(fmt.Sprintf("gateway %s: unexpected argument %q\n\n%s", fs.Name(), fs.Arg(0), text.String()))
	}
	return nil
}

// printUsage says how a command is used, what it does, and what its flags are.
func printUsage(w io.Writer, fs *flag.FlagSet) {
	for _, cmd := range commands() {
		if cmd.name == fs.Name() {
			_, _ = fmt.Fprintf(w, "Usage: gateway %s\n\n%s.\n", strings.TrimSpace(cmd.name+" "+cmd.usage), strings.ToUpper(cmd.help[:1])+cmd.help[1:])
		}
	}
	flags := 0
	if fs.VisitAll(func(*flag.Flag) { flags++ }); flags > 0 {
		_, _ = io.WriteString(w, "\nFlags, with one dash or two:\n")
	}
	fs.PrintDefaults()
}

// meantFlag suggests a flag for one that does not exist.
func meantFlag(fs *flag.FlagSet, err error) string {
	_, name, unknown := strings.Cut(err.Error(), "not defined: -")
	if !unknown {
		return ""
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return config.Meant(name, names)
}
