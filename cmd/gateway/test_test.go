package main

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/config"
	"github.com/chatshipper/gateway/internal/rehearse"
	"github.com/chatshipper/gateway/internal/unit"
)

const shipped = "../../examples/chatshipper_test.yaml"

func TestTheShippedCasesHold(t *testing.T) {
	var out, problems bytes.Buffer
	if code := run(context.Background(), []string{"test", shipped}, console{&out, &problems}); code != exitOK {
		t.Errorf("exit code %d:\n%s%s", code, out.String(), problems.String())
	}
}

// A suite that no wrong gateway fails would prove nothing. Each of these wrongs
// is as small as its rule allows.
func TestTheShippedCasesFailForEveryWrongRule(t *testing.T) {
	var suite rehearse.Suite
	if _, err := config.DecodeFile(shipped, &suite, os.LookupEnv); err != nil {
		t.Fatal(err)
	}
	f := func(name string, spoil func(*config.Config)) {
		t.Helper()
		cfg := config.Default()
		spoil(&cfg)
		house, err := rehearse.New(corridor(&cfg))
		if err != nil {
			t.Fatal(err)
		}
		defer house.Close()
		for i := range suite.Cases {
			if len(house.Play(&suite.Cases[i]).Failures) > 0 {
				return
			}
		}
		t.Errorf("every case holds with %s", name)
	}
	f("one request more per address", func(c *config.Config) { c.Limits.PerIP.Requests = 21 })
	f("one request fewer per address", func(c *config.Config) { c.Limits.PerIP.Requests = 19 })
	f("one request more per key", func(c *config.Config) { c.Limits.PerKey.Requests = 21 })
	f("a shorter window per address", func(c *config.Config) { c.Limits.PerIP.Window -= time.Millisecond })
	f("a longer window per address", func(c *config.Config) { c.Limits.PerIP.Window += time.Millisecond })
	f("a shorter window per key", func(c *config.Config) { c.Limits.PerKey.Window -= time.Millisecond })
	f("a longer window per key", func(c *config.Config) { c.Limits.PerKey.Window += time.Millisecond })
	f("no limit per key", func(c *config.Config) { c.Limits.PerKey.Mode = unit.Off })
	f("a shadow of a limit per address", func(c *config.Config) { c.Limits.PerIP.Mode = unit.Shadow })
	f("whole IPv6 addresses", func(c *config.Config) { c.Limits.PerIP.IPv6Prefix = 128 })
	f("one identical message more", func(c *config.Config) { c.LoopGuard.Identical.Messages = 9 })
	f("one identical message fewer", func(c *config.Config) { c.LoopGuard.Identical.Messages = 7 })
	f("a shorter window for identical messages", func(c *config.Config) { c.LoopGuard.Identical.Window -= time.Second })
	f("a longer window for identical messages", func(c *config.Config) { c.LoopGuard.Identical.Window += time.Second })
	f("delay as content", func(c *config.Config) { c.LoopGuard.Identical.IgnoreFields = nil })
	f("one consecutive message more", func(c *config.Config) { c.LoopGuard.Consecutive.Messages = 21 })
	f("one consecutive message fewer", func(c *config.Config) { c.LoopGuard.Consecutive.Messages = 19 })
	f("a shorter window for consecutive messages", func(c *config.Config) { c.LoopGuard.Consecutive.Window -= time.Second })
	f("a longer window for consecutive messages", func(c *config.Config) { c.LoopGuard.Consecutive.Window += time.Second })
	f("a limit on consecutive messages that is off", func(c *config.Config) { c.LoopGuard.Consecutive.Mode = unit.Off })
	f("PUT", func(c *config.Config) { c.Methods.Allow = append(c.Methods.Allow, "PUT") })
}
