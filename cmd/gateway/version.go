package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker: -ldflags "-X main.version=… -X main.commit=…".
var (
	version = "dev"
	commit  = ""

	// clockOffsetFrom names the environment variable that sets the clock by which
	// everything is counted wrong. It is empty but in the end-to-end tests' binary.
	clockOffsetFrom = ""
)

// revision is the commit that was built, from the linker or the build's own
// record of it.
func revision() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}

func runVersion(_ context.Context, args []string, c console) error {
	if err := parseFlags(flag.NewFlagSet("version", flag.ContinueOnError), args, c); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "gateway %s, commit %s, %s\n", version, revision(), runtime.Version())
	return err
}
