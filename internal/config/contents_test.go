package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is wrong inside the files that are named is told like any other mistake:
// all of it, each with its place.
func TestWhatFilesHoldIsLookedInto(t *testing.T) {
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(`upstream: {url: https://api.chatshipper.com, tls: {ca_file: JUNK, cert_file: JUNK, key_file: JUNK}}
listen: {tls: {cert_file: JUNK, key_file: JUNK}}
admin:
  token_file: JUNK
  tls: {cert_file: JUNK, key_file: JUNK}
identity: {jwt: {public_key_file: JUNK}}
store: {kind: redis, redis: {addresses: [redis:6379], key_secret: sixteen-characters, tls: {enabled: true, ca_file: JUNK}}}
tracing: {otlp_endpoint: "https://collector:4318", tls: {ca_file: JUNK, cert_file: JUNK, key_file: JUNK}}
`, "JUNK", junk)
	c, err := Parse("gateway.yaml", []byte(text), environment())
	if err != nil {
		t.Fatalf("the configuration itself is right: %s", err)
	}
	err = c.Contents()
	if err == nil {
		t.Fatal("nothing is wrong with files that hold nothing")
	}
	want := []string{
		"gateway.yaml:1:61: upstream.tls.ca_file: cannot use ", "upstream.tls.cert_file: cannot use the certificate in ",
		"gateway.yaml:2:27: listen.tls.cert_file: cannot use the certificate in ",
		"gateway.yaml:4:15: admin.token_file: ", "gateway.yaml:5:20: admin.tls.cert_file: cannot use the certificate in ",
		"gateway.yaml:6:35: identity.jwt.public_key_file: ", ": store.redis.tls.ca_file: cannot use ",
		": tracing.tls.ca_file: cannot use ", ": tracing.tls.cert_file: cannot use the certificate in ",
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d mistakes, want %d:\n%s", len(lines), len(want), err)
	}
	for i, line := range lines {
		if !strings.Contains(line, want[i]) || !strings.Contains(line, junk) {
			t.Errorf("mistake %d is %q, want %q and the file's name", i, line, want[i])
		}
	}
}

func TestFilesThatAreRightAreNoMistake(t *testing.T) {
	c := parse(t, smallest, environment())
	if err := c.Contents(); err != nil {
		t.Errorf("a configuration without a file: %s", err)
	}
}

// A reload asks only of what it brings.
func TestAReloadLooksIntoTheFilesThatAreNew(t *testing.T) {
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	with := func(text string) *Config {
		return parse(t, smallest+strings.ReplaceAll(text, "JUNK", junk), environment())
	}
	f := func(before, after, want string) {
		t.Helper()
		err := with(after).ContentsSince(with(before))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("from %q to %q: %v, want %q", before, after, err, want)
		}
	}
	renewing := "listen: {tls: {cert_file: JUNK, key_file: JUNK}}\n"
	f(renewing, renewing, "")
	f(renewing, renewing+"limits: {per_ip: {requests: 30}}\n", "")
	f("", renewing, "listen.tls.cert_file: cannot use the certificate")
	f("listen: {tls: {cert_file: JUNK, key_file: contents.go}}\n", renewing, "listen.tls.cert_file: cannot use the certificate")
	f(renewing, renewing+"identity: {jwt: {public_key_file: JUNK}}\n", "identity.jwt.public_key_file: ")
}
