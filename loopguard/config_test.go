package loopguard

import (
	"slices"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/unit"
)

func mistakes(cfg Config) (found []string) {
	cfg.Validate(func(path, problem string) { found = append(found, path+": "+problem) })
	return found
}

func TestTheDefaultsAreTheDocumentedLimits(t *testing.T) {
	cfg := DefaultConfig()
	if found := mistakes(cfg); found != nil {
		t.Errorf("the defaults are invalid: %q", found)
	}
	rules := Compile(cfg)
	if got, want := rules.limits, [LimitCount]Limit{{Messages: 8, Window: 3 * time.Minute}, {Messages: 20, Window: time.Hour}}; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAModeIsPartOfTheLimit(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Identical.Mode, cfg.Consecutive.Mode = unit.Off, unit.Shadow
	limits := Compile(cfg).limits
	if !limits[Identical].isOff() || limits[Consecutive].isOff() || !limits[Consecutive].Shadow {
		t.Errorf("got %+v", limits)
	}
}

func TestValidateReportsEveryMistakeAtOnce(t *testing.T) {
	got := mistakes(Config{
		Identical:   IdenticalConfig{Messages: -1, Window: 0, Mode: 7, IgnoreFields: []string{"delay", "", "conversation", "delay"}},
		Consecutive: ConsecutiveConfig{Messages: 10_001, Window: 25 * time.Hour, Mode: 3},
	})
	want := []string{
		"identical.messages: must be between 1 and 10000, got -1",
		"identical.window: must be between 1s and 24h, got 0s",
		"identical.mode: must be enforce, shadow or off",
		"identical.ignore_fields[1]: must name a field, got an empty name",
		"identical.ignore_fields[2]: must not be conversation: messages are compared inside one conversation already",
		`identical.ignore_fields[3]: must be listed once, got "delay" again (first at [0])`,
		"consecutive.messages: must be between 1 and 10000, got 10001",
		"consecutive.window: must be between 1s and 24h, got 25h0m0s",
		"consecutive.mode: must be enforce, shadow or off",
		"max_body_bytes: must be between 1B and 256MiB, got 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestTheEdgesOfTheConfigurationAreValid(t *testing.T) {
	f := func(messages int, window time.Duration, body unit.Bytes) {
		t.Helper()
		cfg := DefaultConfig()
		cfg.Identical.Messages, cfg.Consecutive.Messages = messages, messages
		cfg.Identical.Window, cfg.Consecutive.Window = window, window
		cfg.Identical.IgnoreFields = nil
		cfg.MaxBodyBytes = body
		if found := mistakes(cfg); found != nil {
			t.Errorf("%q", found)
		}
	}
	f(1, time.Second, 1)
	f(10_000, 24*time.Hour, 256<<20)
}

func TestCompilingWhatIsInvalidIsABug(t *testing.T) {
	defer func() {
		if got, want := recover(), "BUG: cannot compile message limits: identical.messages: must be between 1 and 10000, got 0"; got != want {
			t.Errorf("got panic %v, want %v", got, want)
		}
	}()
	cfg := DefaultConfig()
	cfg.Identical.Messages = 0
	Compile(cfg)
}

func TestRulesHaveNames(t *testing.T) {
	if Identical.String() != "identical" || Consecutive.String() != "consecutive" {
		t.Errorf("got %v, %v", Identical, Consecutive)
	}
}
