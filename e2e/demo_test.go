package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// startDemo runs the demo and returns what it printed and its public address.
func startDemo(t *testing.T) (*process, string) {
	t.Helper()
	listen, admin, sandbox := freeAddress(t), freeAddress(t), freeAddress(t)
	p := launch(t, "demo", "--listen", listen, "--admin-listen", admin, "--sandbox-listen", sandbox)
	eventually(t, "the demo is up and has printed its tour", func() error {
		for _, address := range []string{listen, admin, sandbox} {
			if !strings.Contains(p.stdout.String(), address) {
				return fmt.Errorf("%s is not printed", address)
			}
		}
		if len(tour(p.stdout.String())) < 5 {
			return fmt.Errorf("too few lines to paste")
		}
		status, _, err := fetch("http://" + admin + "/readyz")
		if err == nil && status != 200 {
			err = fmt.Errorf("/readyz answers %d", status)
		}
		return err
	})
	return p, listen
}

// tour are the lines to paste into a shell.
func tour(printed string) []string {
	var lines []string
	for line := range strings.Lines(printed) {
		line = strings.TrimSpace(line)
		for _, start := range []string{"curl ", "for ", "sleep "} {
			if strings.HasPrefix(line, start) {
				lines = append(lines, line)
				break
			}
		}
	}
	return lines
}

func TestTheDemosLinesDoWhatTheySay(t *testing.T) {
	t.Parallel()
	p, _ := startDemo(t)
	var said strings.Builder
	for _, line := range tour(p.stdout.String()) {
		said.WriteString(shell(t, line))
		said.WriteByte('\n')
	}
	text := said.String()
	for _, part := range []string{
		" 201", " 429", "identical_messages", "consecutive_messages", "rate_limited_ip", "rate_limited_key", "Retry-After:",
		`X-RateLimit-Remaining: `,
	} {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(part)) {
			t.Errorf("the lines show no %q", part)
		}
	}
	// The reset: after the refusal of the 21st message a message is created.
	_, after, _ := strings.Cut(text, "consecutive_messages")
	if !strings.Contains(after, " 201") {
		t.Error("no message is created after the consecutive limit was reached: the tour shows no reset")
	}
	if t.Failed() {
		t.Log(lastBytes(text, 8000))
	}
}

func TestTheDemoPrintsItsTokensAndEndsOnASignal(t *testing.T) {
	t.Parallel()
	p, listen := startDemo(t)
	tokens := readTokens(p.stdout.String())
	for _, name := range []string{"bot", "second bot", "agent", "admin"} {
		if tokens[name] == "" {
			t.Errorf("the demo prints no token of the %s", name)
		}
	}
	out, err := exec.Command("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Authorization: Bearer "+tokens["agent"],
		"http://"+listen+"/v2/conversations").CombinedOutput()
	if err != nil || string(out) != "200" {
		t.Errorf("curl with the agent's token: %s, %v", out, err)
	}
	p.signal(t, 2)
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d after Ctrl-C, want 0", code)
	}
}

func TestTheDemoSaysWhichPortIsBusy(t *testing.T) {
	t.Parallel()
	_, busy := startDemo(t)
	for _, flag := range []string{"--listen", "--admin-listen", "--sandbox-listen"} {
		addresses := map[string]string{"--listen": freeAddress(t), "--admin-listen": freeAddress(t), "--sandbox-listen": freeAddress(t)}
		addresses[flag] = busy
		args := []string{"demo"}
		for name, address := range addresses {
			args = append(args, name, address)
		}
		r := run(t, args...)
		if r.code != 1 || !strings.Contains(r.stderr, "address already in use") {
			t.Errorf("%s on a busy port: exit code %d, stderr %q", flag, r.code, r.stderr)
		}
		wantOneSentence(t, r.stderr)
	}
}
