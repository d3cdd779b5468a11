package config

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What a crash prints is written by the runtime, not by fmt: a secret must hide
// itself there too. The crash is that of this test, run as a program of its own.
func TestAPanicShowsNoSecret(t *testing.T) {
	if how := os.Getenv("GATEWAY_TEST_PANIC"); how != "" {
		c := parse(t, smallest+`webhook: {secret: "${SECRET}"}`, environment("SECRET", canary))
		crash := make(chan struct{})
		go func() { // testing itself prints a panic of the test's own goroutine
			defer close(crash)
			panic(map[string]any{"secret": c.Webhook.Secret, "block": c.Webhook, "config": c}[how])
		}()
		<-crash
	}
	for _, how := range []string{"secret", "block", "config"} {
		crash := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		crash.Env = append(os.Environ(), "GATEWAY_TEST_PANIC="+how, "GOTRACEBACK=all")
		out, err := crash.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "panic: ") || !strings.Contains(string(out), "goroutine ") {
			t.Errorf("panic of a %s: want a crash, got %v:\n%s", how, err, out)
		}
		if strings.Contains(string(out), canary) {
			t.Errorf("panic of a %s shows it:\n%s", how, out)
		}
	}
}
