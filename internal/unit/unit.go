// Package unit holds the few value types that every room's configuration
// shares: sizes, modes and secrets. It belongs to the cellar of the house: it
// imports nothing of ours, and every room may import it.
package unit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size. It reads "25MiB", "64KB" or a plain number of bytes.
type Bytes int64

var suffixes = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// UnmarshalText reads a size such as "25MiB", "1.5GB" or "4096".
func (b *Bytes) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	unit := 1.0
	for _, x := range suffixes {
		if len(s) > len(x.name) && strings.EqualFold(s[len(s)-len(x.name):], x.name) {
			unit, s = x.bytes, strings.TrimSpace(s[:len(s)-len(x.name)])
			break
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 0 || n*unit > math.MaxInt64/2 || math.IsNaN(n) {
		return fmt.Errorf("expected a size such as 64KiB or 25MiB, got %q", text)
	}
	*b = Bytes(n * unit)
	return nil
}

// String writes the size in the largest binary unit that divides it.
func (b Bytes) String() string {
	for i := 3; i >= 0; i-- {
		if u := Bytes(suffixes[i].bytes); b >= u && b%u == 0 {
			return strconv.FormatInt(int64(b/u), 10) + suffixes[i].name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText writes what UnmarshalText reads.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// Mode says what a rule does when its limit is reached.
type Mode uint8

// Enforce refuses; Shadow counts, measures and logs but refuses nothing; Off
// does not even count.
const (
	Enforce Mode = iota
	Shadow
	Off
)

var modes = [...]string{"enforce", "shadow", "off"}

// String is the word used in the configuration.
func (m Mode) String() string { return modes[m] }

// UnmarshalText reads enforce, shadow or off.
func (m *Mode) UnmarshalText(text []byte) error {
	for i, name := range modes {
		if string(text) == name {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("expected enforce, shadow or off, got %q", text)
}

// MarshalText writes what UnmarshalText reads.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Secret is a string that never shows itself: every way of printing or
// encoding it gives [redacted]. Reveal is the one way to its content.
type Secret string

const redacted = "[redacted]"

// Reveal returns the secret itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret; an empty secret prints as empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText hides the secret from every text encoder (YAML, JSON, slog).
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Format hides the secret from every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }
