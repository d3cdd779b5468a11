package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// configFile writes a configuration and returns its path.
func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const smallest = "upstream:\n  url: https://api.chatshipper.com\n"

func TestCheckAcceptsAGoodConfigurationInOneLine(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// The one key of the example without a default is where the upstream is.
	filled := strings.Replace(string(example), `url: ""`, `url: "https://api.chatshipper.com"`, 1)
	for name, text := range map[string]string{"the smallest": smallest, "the example": filled} {
		r := run(t, "check", "--config", configFile(t, text))
		if r.code != 0 || strings.Count(r.stdout, "\n") != 1 || strings.TrimSpace(r.stdout) == "" {
			t.Errorf("check of %s: exit code %d, stdout %q, stderr %q; want 0 and one line", name, r.code, r.stdout, r.stderr)
		}
	}
}

const wrong = `upstream:
  url: ftp://api.chatshipper.com
  timeuot: 30s
limits:
  per_ip: {requests: -1, window: 1s}
  per_key:
    requests: 20
    window: quick
loopguard:
  identical:
    messages: 0
lisssten:
  address: ":8080"
`

func TestEveryMistakeIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	path := configFile(t, wrong)
	for _, command := range []string{"check", "run", "config"} {
		r := run(t, command, "--config", path)
		if r.code != 78 {
			t.Errorf("%s: exit code %d, want 78", command, r.code)
		}
		wantOneSentence(t, strings.ReplaceAll(r.stderr, path, "gateway.yaml"))
		f := func(line int, column int, words ...string) {
			t.Helper()
			place := regexp.QuoteMeta(fmt.Sprintf("%s:%d:%d:", path, line, column))
			pattern := "(?m)^" + place + ".*"
			found := regexp.MustCompile(pattern).FindString(r.stderr)
			if found == "" {
				t.Errorf("%s: no mistake is named at gateway.yaml:%d:%d in\n%s", command, line, column, r.stderr)
				return
			}
			for _, word := range words {
				if !strings.Contains(found, word) {
					t.Errorf("%s: %q does not say %q", command, found, word)
				}
			}
		}
		f(2, 8, "upstream.url", "http")
		f(3, 3, "timeuot", "timeout")
		f(5, 22, "limits.per_ip.requests", "-1")
		f(8, 13, "limits.per_key.window", "quick")
		f(11, 15, "loopguard.identical.messages")
		f(12, 1, "lisssten", "listen")
	}
}

func TestAFileThatCannotBeReadIsAConfigurationMistake(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	f := func(path string, words ...string) {
		t.Helper()
		r := run(t, "check", "--config", path)
		if r.code != 78 {
			t.Errorf("exit code %d, want 78: %s", r.code, r.stderr)
		}
		for _, word := range words {
			if !strings.Contains(r.stderr, word) {
				t.Errorf("stderr %q does not say %q", r.stderr, word)
			}
		}
	}
	f(missing, "missing.yaml")
	f(configFile(t, ""), "upstream.url")
	f(configFile(t, smallest+"---\n"+smallest), "document")
	f(configFile(t, "upstream: {url: \"${SURELY_NOT_SET_ANYWHERE}\"}\n"), "SURELY_NOT_SET_ANYWHERE")
	f(configFile(t, "upstream: [not, a, mapping]\n"), "upstream")
	f(configFile(t, "upstream: {url: \"http://a\n"), ":1:")
	f(configFile(t, smallest+"upstream:\n  url: http://b\n"), "upstream")
	f(configFile(t, smallest+"admin: {address: \":9900\"}\n"), "token_file")
}

func TestConfigPrintsDefaultsAndHidesSecrets(t *testing.T) {
	t.Parallel()
	path := configFile(t, smallest+"webhook: {secret: canary-secret}\nidentity: {jwt: {secret: canary-jwt}}\n")
	r := run(t, "config", "--config", path)
	if r.code != 0 {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	if strings.Contains(r.stdout+r.stderr, "canary") {
		t.Errorf("a secret is printed:\n%s", r.stdout)
	}
	for _, part := range []string{"https://api.chatshipper.com", "read_header_timeout: 10s", "window: 3m", "window: 1h", "max_body_bytes: 25MiB", "[redacted]", "mode: enforce"} {
		if !strings.Contains(r.stdout, part) {
			t.Errorf("the effective configuration lacks %q:\n%s", part, r.stdout)
		}
	}
}

func TestWhatConfigPrintsIsAConfiguration(t *testing.T) {
	t.Parallel()
	first := run(t, "config", "--config", configFile(t, smallest))
	second := run(t, "config", "--config", configFile(t, first.stdout))
	if first.code != 0 || second.code != 0 {
		t.Fatalf("exit codes %d and %d, stderr %q; want 0 and 0", first.code, second.code, second.stderr)
	}
	comment := regexp.MustCompile(`(?m) +#.*$`) // where a value comes from
	if comment.ReplaceAllString(first.stdout, "") != comment.ReplaceAllString(second.stdout, "") {
		t.Errorf("what config prints means something else:\n%s\nand read again:\n%s", first.stdout, second.stdout)
	}
}

func TestWrongCommandLinesAreExitCode2(t *testing.T) {
	t.Parallel()
	good := configFile(t, smallest)
	for _, args := range [][]string{
		{},
		{"unheard"},
		{"run", "--unheard"},
		{"run"},
		{"check"},
		{"check", "--config"},
		{"check", "--config", good, "more"},
		{"demo", "--port", "1"},
		{"sandbox", "more"},
		{"version", "--unheard"},
		{"--unheard"},
	} {
		r := run(t, args...)
		if r.code != 2 {
			t.Errorf("gateway %s: exit code %d, want 2", strings.Join(args, " "), r.code)
		}
		if strings.TrimSpace(r.stderr) == "" || r.stdout != "" {
			t.Errorf("gateway %s: stdout %q, stderr %q; want a sentence on stderr only", strings.Join(args, " "), r.stdout, r.stderr)
		}
		wantOneSentence(t, r.stderr)
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		r := run(t, args...)
		if r.code != 0 {
			t.Errorf("gateway %s: exit code %d", args[0], r.code)
		}
		for _, command := range []string{"run", "demo", "sandbox", "check", "config", "healthcheck", "version"} {
			if !strings.Contains(r.stdout, command) {
				t.Errorf("gateway %s does not name %s", args[0], command)
			}
		}
	}
	if r := run(t, "run", "--help"); r.code != 0 || !strings.Contains(r.stdout, "config") {
		t.Errorf("gateway run --help: exit code %d, stdout %q", r.code, r.stdout)
	}
}

func TestVersionNamesTheBuild(t *testing.T) {
	t.Parallel()
	r := run(t, "version")
	if r.code != 0 || !strings.Contains(r.stdout, "go1.") || !strings.Contains(r.stdout, "gateway") {
		t.Errorf("exit code %d, stdout %q", r.code, r.stdout)
	}
}

func TestHealthcheckFollowsReadiness(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{})
	if r := run(t, "healthcheck", "--config", g.config); r.code != 0 {
		t.Errorf("exit code %d in front of a ready gateway: %s", r.code, r.stderr)
	}
	_ = g.cmd.Process.Kill()
	<-g.done
	r := run(t, "healthcheck", "--config", g.config)
	if r.code != 1 {
		t.Errorf("exit code %d without a gateway, want 1", r.code)
	}
	wantOneSentence(t, r.stderr)
}
