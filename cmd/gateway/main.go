// Command gateway is the edge gateway for the ChatShipper API: it enforces the
// API's documented rules in front of an upstream. This package only wires the
// rooms together; `gateway help` lists what it can do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes. A supervisor need not restart into the same mistake after
// exitUsage or exitConfig.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitConfig = 78 // EX_CONFIG of sysexits.h
)

// console is where a command writes: what was asked for, and what went wrong.
type console struct{ out, err io.Writer }

// failure is an error that knows the exit code it asks for.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the program at once
	}()
	os.Exit(run(ctx, os.Args[1:], console{os.Stdout, os.Stderr}))
}

// run translates a command line into one command's call, and its error into an
// exit code.
func run(ctx context.Context, args []string, c console) int {
	err := dispatch(ctx, args, c)
	if err == nil {
		return exitOK
	}
	code := exitFailed
	if f := (*failure)(nil); errors.As(err, &f) {
		code = f.code
	}
	if err.Error() != "" {
		_, _ = fmt.Fprintf(c.err, "%v\n", err)
	}
	return code
}
