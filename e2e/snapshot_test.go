package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// remembering is the configuration of a gateway that keeps its counts in a file.
func remembering(file, interval string) setup {
	return setup{rest: noRequestLimits + "store: {memory: {snapshot_file: '" + file + "', snapshot_interval: " + interval + "}}\n"}
}

// restart starts the same gateway once more.
func (g *gateway) restart(t *testing.T) {
	t.Helper()
	g.process = launchWith(t, g.setup.env, "run", "--config", g.config)
	g.awaitReady(t)
}

func TestARestartForgetsNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "counts")
	g := startGateway(t, startStub(t, nil).URL, remembering(file, "1h"))
	bot, other := mint(botUser, botScope), mint(otherBotUser, botScope)
	fill(t, g, bot, conversation(1))
	for range 7 {
		wantStatus(t, g.do(t, routes[0].send(other, conversation(2), text("hello"))), 201)
	}
	wantStatus(t, g.do(t, routes[1].send(mint(agentUser, agentScope), conversation(3), text("hello"))), 201)
	g.signal(t, syscall.SIGTERM)
	if code := g.wait(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{bot, botUser, "hello", "message 1", conversation(1), "127.0.0.1"} {
		if strings.Contains(string(data), secret) {
			t.Errorf("the snapshot holds %q", secret)
		}
	}
	g.restart(t)
	wantBlocked(t, g, bot, conversation(1))
	wantStatus(t, g.do(t, routes[0].send(other, conversation(2), text("hello"))), 201)
	wantOurError(t, g.do(t, routes[0].send(other, conversation(2), text("hello"))), 429, "identical_messages")
	wantFree(t, g, bot, conversation(3))
}

func TestACrashForgetsOneIntervalAtMost(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "counts")
	g := startGateway(t, startStub(t, nil).URL, remembering(file, "200ms"))
	bot := mint(botUser, botScope)
	fill(t, g, bot, conversation(1))
	time.Sleep(600 * time.Millisecond) // one interval, and what a busy machine needs to write
	fill(t, g, bot, conversation(2))
	_ = g.cmd.Process.Kill()
	<-g.done
	g.restart(t)
	wantBlocked(t, g, bot, conversation(1))
}

func TestADamagedSnapshotIsSetAside(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "counts")
	if err := os.WriteFile(file, []byte("these are no counts"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := startGateway(t, startStub(t, nil).URL, remembering(file, "1h"))
	if !strings.Contains(g.logs(), "sets aside") {
		t.Error("the log does not say that the file is set aside")
	}
	fill(t, g, mint(botUser, botScope), conversation(1))
	g.signal(t, syscall.SIGTERM)
	g.wait(t)
	if kept, err := os.ReadFile(file + ".damaged"); err != nil || string(kept) != "these are no counts" {
		t.Errorf("the damaged file is gone: %v", err)
	}
	g.restart(t)
	wantBlocked(t, g, mint(botUser, botScope), conversation(1))

	missing := startFailing(t, remembering(filepath.Join(t.TempDir(), "missing", "counts"), "1h"))
	if missing.code != 78 || !strings.Contains(missing.stderr, "snapshot_file") {
		t.Errorf("a folder that is not there: exit code %d, %s", missing.code, missing.stderr)
	}
}

// startFailing runs a gateway that can't start, to its end.
func startFailing(t *testing.T, s setup) result {
	t.Helper()
	g := &gateway{address: freeAddress(t), admin: freeAddress(t), upstream: "http://127.0.0.1:1", setup: s}
	g.config = filepath.Join(t.TempDir(), "gateway.yaml")
	g.writeConfig(t, s)
	return run(t, "run", "--config", g.config)
}
