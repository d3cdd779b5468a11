package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func effectiveOf(t *testing.T, c *Config) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.WriteEffective(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// values is a configuration without the notes of where it came from.
func values(c *Config) Config {
	v := *c
	v.file, v.origins, v.secretFiles = "", nil, nil
	return v
}

func TestEffectiveSaysEveryValueAndWhereItWasSet(t *testing.T) {
	data, err := os.ReadFile("testdata/effective.yaml")
	if err != nil {
		t.Fatal(err)
	}
	getenv := environment("UPSTREAM", "https://api.example.com", "KEY", "c4n4ry", "NETWORK", "192.0.2.0/24")
	c, err := Parse("gateway.yaml", data, getenv)
	if err != nil {
		t.Fatalf("unexpected mistakes:\n%s", err)
	}
	compare(t, "testdata/effective.txt", effectiveOf(t, c))
}

func TestEffectiveCanBeLoadedAgain(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "a $secret: file #1")
	if err := os.WriteFile(secret, []byte("c4n4ry\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(text string, getenv func(string) (string, bool)) {
		t.Helper()
		first := parse(t, text, getenv)
		written := effectiveOf(t, first)
		second := parse(t, written, environment())
		if !reflect.DeepEqual(values(first), values(second)) {
			t.Errorf("another configuration came back from:\n%s", written)
		}
	}
	f(smallest, environment())
	f(smallest+"methods: {exceptions: [{method: PUT, path: '/v2/messages/{id}'}]}", environment())
	f(smallest+"loopguard: {identical: {ignore_fields: []}}", environment())
	f(smallest+"loopguard: {identical: {ignore_fields: ['a, b', '$$', '${X:-}x', no, '#', '1']}}", environment())
	f(smallest+"limits: {per_ip: {mode: off, window: 90s}, exempt: [{path: /v2/ping}, {cidr: 192.0.2.0/24}]}", environment())
	f(smallest+"store: {redis: {username: '${V}'}}", environment("V", "a\n$$ # \"${V}\" \x00 \u2028 é"))
	f(smallest+"webhook: {secret_file: '${F}'}", environment("F", secret))
	f(smallest+"tracing: {sample_ratio: 0.0000001}", environment())
}

func TestEffectiveReportsAFailedWrite(t *testing.T) {
	c := Default()
	if err := c.WriteEffective(failingWriter{}); err == nil || err.Error() != "cannot write the configuration: disk full" {
		t.Errorf("unexpected error %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestTheNameOfTheFileStaysInItsComment(t *testing.T) {
	c, err := Parse("a\nadmin: {pprof: true}\n#.yaml", []byte(smallest), environment())
	if err != nil {
		t.Fatal(err)
	}
	if again := parse(t, effectiveOf(t, c), environment()); again.Admin.Pprof {
		t.Errorf("the name of the file became a setting")
	}
}

func TestDurationsAreWrittenAsPeopleDo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 20 * time.Millisecond: "20ms", time.Second: "1s", time.Minute: "60s", 2 * time.Minute: "2m", 10 * time.Minute: "10m",
		90 * time.Second: "90s", time.Hour: "1h", 90 * time.Minute: "1h30m", 24 * time.Hour: "24h",
		time.Hour + time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s", -3 * time.Minute: "-3m",
	} {
		if got := duration(d); got != want {
			t.Errorf("duration(%d) = %s, want %s", d, got, want)
		}
	}
}
