package loopguard

import (
	"fmt"
	"slices"
	"time"

	"github.com/chatshipper/gateway/internal/unit"
)

// Config is the `loopguard:` block of the configuration.
type Config struct {
	Identical    IdenticalConfig   `yaml:"identical"`
	Consecutive  ConsecutiveConfig `yaml:"consecutive"`
	MaxBodyBytes unit.Bytes        `yaml:"max_body_bytes"` // a larger body on a guarded route is refused with 413; 1B to 256MiB
}

// IdenticalConfig limits equal messages of one bot in one conversation.
type IdenticalConfig struct {
	Messages     int           `yaml:"messages"`      // admitted in any window; 1 to 10000
	Window       time.Duration `yaml:"window"`        // sliding; 1s to 24h
	Mode         unit.Mode     `yaml:"mode"`          // enforce, shadow or off
	IgnoreFields []string      `yaml:"ignore_fields"` // top-level fields that make no message different
	Shadow       Candidate     `yaml:"shadow"`
}

// ConsecutiveConfig limits messages of one bot in one conversation since the
// last reply of an agent or a consumer.
type ConsecutiveConfig struct {
	Messages int           `yaml:"messages"` // admitted in any window; 1 to 10000
	Window   time.Duration `yaml:"window"`   // sliding; 1s to 24h
	Mode     unit.Mode     `yaml:"mode"`     // enforce, shadow or off
	Shadow   Candidate     `yaml:"shadow"`
}

// Candidate is a limit to try beside the one in force: it is counted, measured
// and logged, and refuses nothing.
type Candidate struct {
	Messages int           `yaml:"messages"` // 0: no candidate
	Window   time.Duration `yaml:"window"`   // 0: that of the limit in force
}

// limit is the candidate beside a limit; the zero Limit for none. A rule that is
// off has none.
func (c Candidate) limit(window time.Duration, mode unit.Mode) Limit {
	if c.Messages == 0 || mode == unit.Off {
		return Limit{}
	}
	if c.Window != 0 {
		window = c.Window
	}
	return Limit{Messages: c.Messages, Window: window, Shadow: true}
}

// validate checks a candidate, if there is one. window is that of the limit.
func (c Candidate) validate(path string, window time.Duration, report func(path, problem string)) {
	switch {
	case c.Window != 0 && c.Messages == 0:
		report(path+".messages", "must be greater than 0 for a candidate with a window of its own")
	case c.Window != 0:
		validateLimit(path, c.Messages, c.Window, unit.Shadow, report)
	case c.Messages != 0:
		validateLimit(path, c.Messages, max(window, minWindow), unit.Shadow, report)
	}
}

const (
	maxMessages = 10_000 // each remembered message costs 4 bytes per key
	minWindow   = time.Second
	maxWindow   = 24 * time.Hour
)

// DefaultConfig is ChatShipper's documented rule: 8 identical messages in 3
// minutes, 20 consecutive ones in an hour.
func DefaultConfig() Config {
	return Config{
		Identical:    IdenticalConfig{Messages: 8, Window: 3 * time.Minute, IgnoreFields: []string{"delay"}},
		Consecutive:  ConsecutiveConfig{Messages: 20, Window: time.Hour},
		MaxBodyBytes: 1 << 20,
	}
}

// Validate reports every mistake, with its path inside the block.
func (c *Config) Validate(report func(path, problem string)) {
	validateLimit("identical", c.Identical.Messages, c.Identical.Window, c.Identical.Mode, report)
	c.Identical.validateFields(report)
	c.Identical.Shadow.validate("identical.shadow", c.Identical.Window, report)
	c.Consecutive.Shadow.validate("consecutive.shadow", c.Consecutive.Window, report)
	validateLimit("consecutive", c.Consecutive.Messages, c.Consecutive.Window, c.Consecutive.Mode, report)
	if c.MaxBodyBytes < 1 || c.MaxBodyBytes > maxText {
		report("max_body_bytes", fmt.Sprintf("must be between 1B and 256MiB, got %v", c.MaxBodyBytes))
	}
}

// validateLimit checks a limit even when its mode is off, so that switching it
// on again can't fail.
func validateLimit(path string, messages int, window time.Duration, mode unit.Mode, report func(path, problem string)) {
	if messages < 1 || messages > maxMessages {
		report(path+".messages", fmt.Sprintf("must be between 1 and %d, got %d", maxMessages, messages))
	}
	if window < minWindow || window > maxWindow {
		report(path+".window", fmt.Sprintf("must be between 1s and 24h, got %v", window))
	}
	if mode > unit.Off {
		report(path+".mode", "must be enforce, shadow or off")
	}
}

func (c *IdenticalConfig) validateFields(report func(path, problem string)) {
	for i, field := range c.IgnoreFields {
		path := fmt.Sprintf("identical.ignore_fields[%d]", i)
		switch first := slices.Index(c.IgnoreFields, field); {
		case field == "":
			report(path, "must name a field, got an empty name")
		case field == fieldConversation:
			report(path, "must not be conversation: messages are compared inside one conversation already")
		case first < i:
			report(path, fmt.Sprintf("must be listed once, got %q again (first at [%d])", field, first))
		}
	}
}
