package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// pictures is where CI finds the screenshots of the console.
const pictures = "../bin/test/console"

// chromiumScene is what the script in browser/ is told.
type chromiumScene struct {
	Chromium     string `json:"chromium"`
	Origin       string `json:"origin"`  // of the admin listener
	Token        string `json:"token"`   // of the admin listener
	Gateway      string `json:"gateway"` // of the public listener
	Bot          string `json:"bot"`     // API keys of the sandbox
	Bot2         string `json:"bot2"`
	Agent        string `json:"agent"`
	Admin        string `json:"admin"`
	Conversation string `json:"conversation"`
	Canary       string `json:"canary"` // a secret of the configuration
	Out          string `json:"out"`
	PID          int    `json:"pid"` // of the gateway, to be drained in the end
	// Picture is where README's screenshot is written, after so many seconds of
	// traffic; empty: none is.
	Picture        string `json:"picture,omitempty"`
	PictureSeconds int    `json:"pictureSeconds,omitempty"`
}

// The console in a real Chromium, while a bot loops against the sandbox. With
// -update it also makes docs/images/console.png, which takes five minutes.
func TestTheConsoleInChromium(t *testing.T) {
	t.Parallel()
	sandbox := freeAddress(t)
	box := launch(t, "sandbox", "--listen", sandbox)
	eventually(t, "the sandbox listens", func() error { return listening(sandbox) })
	find := func(pattern string) string {
		t.Helper()
		m := regexp.MustCompile(`(?m)` + pattern).FindStringSubmatch(box.stdout.String())
		if m == nil {
			t.Fatalf("no %s in what the sandbox printed:\n%s", pattern, box.stdout.String())
		}
		return m[1]
	}
	const token, canary = "the token of this test", "canary-of-the-webhook"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &gateway{address: freeAddress(t), admin: freeAddress(t)}
	g.config = configFile(t, fmt.Sprintf("listen: {address: %q, trusted_proxies: [127.0.0.0/8], shutdown_delay: 2500ms}\nadmin: {address: %q, token_file: %q}\n"+
		"upstream: {url: %q}\nwebhook: {secret: %q}\n", g.address, g.admin, file, "http://"+sandbox, canary))
	g.process = launch(t, "run", "--config", g.config)
	g.awaitReady(t)
	out, err := filepath.Abs(pictures)
	if err == nil {
		err = os.MkdirAll(out, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("cannot find Chromium; scripts/install-tools.sh installs it: %v", err)
	}
	s := chromiumScene{
		Chromium: chromium, Origin: "http://" + g.admin, Token: token, Gateway: g.url(), Canary: canary, Out: out, PID: g.cmd.Process.Pid,
		Bot: find(`^  bot +(\S+)`), Bot2: find(`^  second bot +(\S+)`), Agent: find(`^  agent +(\S+)`), Admin: find(`^  admin +(\S+)`),
		Conversation: find(`"conversation":"([0-9a-f]{24})"`),
	}
	if *update {
		s.Picture, s.PictureSeconds = filepath.Join(out, "../../../docs/images/console.png"), 300
	}
	s.play(t)
}

// play runs the script; each of its checks is a test.
func (s *chromiumScene) play(t *testing.T) {
	t.Helper()
	input, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second+time.Duration(s.PictureSeconds)*time.Second)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "browser/console.mjs")
	node.Stdin = bytes.NewReader(input)
	var stdout, stderr bytes.Buffer
	node.Stdout, node.Stderr = &stdout, &stderr
	ended := node.Run()
	checks := 0
	for d := json.NewDecoder(&stdout); d.More(); checks++ {
		var c struct {
			Name, Fault string
			MS          int
		}
		if err := d.Decode(&c); err != nil {
			t.Fatalf("cannot read what the browser said: %v", err)
		}
		t.Run(c.Name, func(t *testing.T) {
			if c.Fault != "" {
				t.Errorf("after %d ms: %s", c.MS, c.Fault)
			}
		})
	}
	if ended != nil || checks < 10 {
		t.Errorf("the browser made %d checks and ended with %v\n%s", checks, ended, stderr.String())
	}
}
