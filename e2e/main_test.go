// Package e2e drives the built program as its users do: over real sockets, with
// curl, with net/http, with bytes written by hand and with ChatShipper's official
// SDK. It imports nothing of ours, so that it sees only what a user sees.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "gateway-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot make a folder for the binary:", err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "gateway")
	code := 1
	if err := buildBinary(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// clockOffset is the environment variable that sets the clock of a gateway wrong.
// Only a binary that is built for these tests looks at it.
const clockOffset = "GATEWAY_E2E_CLOCK_OFFSET"

// buildBinary builds it with the race detector when GATEWAY_E2E_RACE is set.
func buildBinary() error {
	args := []string{"build", "-o", binary, "-ldflags", "-X main.clockOffsetFrom=" + clockOffset}
	if os.Getenv("GATEWAY_E2E_RACE") != "" {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "../cmd/gateway")...)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the gateway: %w\n%s", err, out)
	}
	return nil
}
