package unit

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSizes(t *testing.T) {
	reads := func(text string, want Bytes) {
		t.Helper()
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%q: got %d (%v), want %d", text, b, err, want)
		}
	}
	reads("0", 0)
	reads("4096", 4096)
	reads("4096B", 4096)
	reads("64KiB", 64<<10)
	reads("25 MiB", 25<<20)
	reads("1.5GiB", 3<<29)
	reads("1TiB", 1<<40)
	reads("1MB", 1000000)
	reads("2kb", 2000)
	refuses := func(text string) {
		t.Helper()
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %d", text, b)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1XB", "1e30GiB", "NaN", "infinite"} {
		refuses(text)
	}
}

func TestSizesAreWrittenAsTheyAreRead(t *testing.T) {
	for b, want := range map[Bytes]string{0: "0", 512: "512", 1 << 10: "1KiB", 25 << 20: "25MiB", 1<<20 + 1: "1048577", 3 << 30: "3GiB"} {
		text, _ := b.MarshalText()
		var back Bytes
		if err := back.UnmarshalText(text); string(text) != want || err != nil || back != b {
			t.Errorf("%d: written %q, want %q; read back %d (%v)", int64(b), text, want, int64(back), err)
		}
	}
}

func TestModes(t *testing.T) {
	for _, m := range []Mode{Enforce, Shadow, Off} {
		text, _ := m.MarshalText()
		var back Mode
		if err := back.UnmarshalText(text); err != nil || back != m {
			t.Errorf("%s reads as %s (%v)", text, back, err)
		}
	}
	var m Mode
	if err := m.UnmarshalText([]byte("dry-run")); err == nil || !strings.Contains(err.Error(), "shadow") {
		t.Errorf("got %v", err)
	}
}

func TestASecretNeverShowsItself(t *testing.T) {
	const canary = "canary-7f3a"
	s := Secret(canary)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s)
	encoded, err := json.Marshal(map[string]any{"secret": s})
	if err != nil {
		t.Fatal(err)
	}
	everything := fmt.Sprintf("%s %v %+v %#v %q %x %d", s, s, struct{ S Secret }{s}, struct{ S Secret }{s}, s, s, s) +
		fmt.Sprintln(s, &s) + s.GoString() + log.String() + string(encoded)
	if strings.Contains(everything, canary) || strings.Contains(everything, fmt.Sprintf("%x", canary)) {
		t.Errorf("the secret shows itself: %s", everything)
	}
	if s.Reveal() != canary || Secret("").String() != "" || s.String() != "[redacted]" {
		t.Error("a secret must be revealed where it is needed, and an empty one prints as empty")
	}
}
