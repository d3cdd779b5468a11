package debian

import (
	"strings"
	"testing"
)

func TestFirstIsTheFirstLineOrTheReason(t *testing.T) {
	f := func(want, name string, args ...string) {
		t.Helper()
		if got := First(name, args...); !strings.Contains(got, want) || strings.Contains(got, "\n") {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f("one", "printf", "one\ntwo\n")
	f("told on stderr", "sh", "-c", "echo told on stderr >&2; exit 1")
	f("not found", "no-such-command")
}

func TestTheCircumstancesNameTheMachine(t *testing.T) {
	text := strings.Join(Circumstances("true"), "\n")
	for _, want := range []string{"Machine: ", " cores; ", "Linux ", "Gateway: "} {
		if !strings.Contains(text, want) {
			t.Errorf("cannot find %q in %q", want, text)
		}
	}
}
