package loopguard

import (
	"sync/atomic"
	"time"

	"github.com/chatshipper/gateway/internal/unit"
)

// Limit is how many messages a rule admits in any window.
type Limit struct {
	Messages int           // 0 when the rule is off
	Window   time.Duration // half-open: what was sent exactly a window ago no longer counts
	Shadow   bool          // counted and reported, never refused
}

func (l Limit) isOff() bool { return l.Messages == 0 }

func (l Limit) isEnforced() bool { return !l.isOff() && !l.Shadow }

// Rules is a configuration, compiled. It is immutable.
type Rules struct {
	limits [LimitCount]Limit
	serial uint64 // the later compiled, the greater
}

var serials atomic.Uint64

// Compile makes Rules of a valid configuration; an invalid one is a bug. The
// counts that a Memory holds are judged by whatever Rules a request brings, so
// that a changed limit applies at once to what is counted. A changed window does
// too, as far as its times are still known: a longer one starts with what the
// shorter one had kept.
func Compile(cfg Config) *Rules {
	cfg.Validate(func(path, problem string) {
		if path != "max_body_bytes" { // which is the caller's affair
			panic("BUG: cannot compile message limits: " + path + ": " + problem)
		}
	})
	return &Rules{
		limits: [LimitCount]Limit{
			Identical:               limitOf(cfg.Identical.Messages, cfg.Identical.Window, cfg.Identical.Mode),
			Consecutive:             limitOf(cfg.Consecutive.Messages, cfg.Consecutive.Window, cfg.Consecutive.Mode),
			Identical + RuleCount:   cfg.Identical.Shadow.limit(cfg.Identical.Window, cfg.Identical.Mode),
			Consecutive + RuleCount: cfg.Consecutive.Shadow.limit(cfg.Consecutive.Window, cfg.Consecutive.Mode),
		},
		serial: serials.Add(1),
	}
}

// Share returns the rules of one of several gateways that can't ask each other:
// each admits its part of every limit, rounded up.
func (r *Rules) Share(gateways int) *Rules {
	if gateways <= 1 {
		return r
	}
	shared := *r
	for rule := range shared.limits[:RuleCount] {
		shared.limits[rule].Messages = (shared.limits[rule].Messages + gateways - 1) / gateways
	}
	return &shared
}

// Limit is what a rule, or its candidate, admits.
func (r *Rules) Limit(rule Rule) Limit { return r.limits[rule] }

// Window is the span of a rule, even of one that is off, or of its candidate: the
// longer one.
func (r *Rules) Window(rule Rule) time.Duration {
	return max(r.limits[rule].Window, r.limits[rule.candidate()].Window)
}

func limitOf(messages int, window time.Duration, mode unit.Mode) Limit {
	if mode == unit.Off {
		messages = 0
	}
	return Limit{Messages: messages, Window: window, Shadow: mode == unit.Shadow}
}
