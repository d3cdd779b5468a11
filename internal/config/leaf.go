package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/chatshipper/gateway/internal/unit"
)

// redacted is what `gateway config` prints in place of a secret.
const redacted = "[redacted]"

// scalar is the text of one leaf.
type scalar struct {
	expansion
	quoted bool // in the file; text of a variable never counts as quoted
}

// leaf fills one value that is neither a block nor a list. node is where it
// stands, and target where its text is: another place when node is an alias.
func (l *loader) leaf(node, target *yaml.Node, into any, path string) {
	switch {
	case target.Kind != yaml.ScalarNode:
		l.refuse(node, path, "expected "+expectation(into)+", got "+kindOf(target))
		return
	case isNull(target):
		l.refuse(node, path, "expected "+expectation(into)+", got nothing; remove the key to have the default")
		return
	}
	e := expand(target.Value, l.getenv)
	for _, problem := range e.problems {
		l.refuse(node, path, problem)
	}
	if len(e.problems) > 0 {
		return
	}
	s := scalar{expansion: e, quoted: target.Style != 0 && e.text == target.Value}
	if problem := s.store(into); problem != "" {
		l.refuse(node, path, problem)
	}
	o := l.origins[path]
	o.environment = e.names
	l.given[path] = e.text
	l.origins[path] = o
}

// expectation says in words what a leaf holds.
func expectation(leaf any) string {
	switch leaf.(type) {
	case *time.Duration:
		return "a duration such as 3m"
	case *unit.Bytes:
		return "a size such as 64KiB or 25MiB"
	case *unit.Mode:
		return "enforce, shadow or off"
	case *bool:
		return "true or false"
	case *int:
		return "a whole number such as 20"
	case *float64:
		return "a number such as 0.01"
	case *string, *unit.Secret:
		return "text"
	}
	panic(fmt.Sprintf("BUG: a configuration can't hold a %T", leaf))
}

// store puts the text into a leaf, or says what is wrong with it.
func (s scalar) store(into any) string {
	switch into := into.(type) {
	case *string:
		*into = s.text
	case *unit.Secret:
		if s.text == redacted {
			return "is not the secret but what `gateway config` prints in its place"
		}
		*into = unit.Secret(s.text)
	case *time.Duration:
		return s.duration(into)
	case *unit.Bytes:
		if octal.MatchString(s.text) {
			return s.unexpected(into, decimal(s.text))
		}
		if !size.MatchString(s.text) || into.UnmarshalText([]byte(s.text)) != nil {
			return s.unexpected(into, "")
		}
	case *unit.Mode:
		if into.UnmarshalText([]byte(s.text)) != nil {
			return s.unexpected(into, nearest(s.text, []string{"enforce", "shadow", "off"}))
		}
	case *bool:
		return s.boolean(into)
	default:
		return s.number(into)
	}
	return ""
}

var (
	octal = regexp.MustCompile(`^[+-]?0[0-9]`) // 020 is 16 in YAML 1.1 and 20 in YAML 1.2
	whole = regexp.MustCompile(`^[+-]?[0-9]+$`)
	ratio = regexp.MustCompile(`^[+-]?[0-9]*\.?[0-9]+$`)
	days  = regexp.MustCompile(`^[0-9]+d$`)
	size  = regexp.MustCompile(`^[0-9.]+ *[A-Za-z]*$`)
)

func (s scalar) duration(into *time.Duration) string {
	d, err := time.ParseDuration(s.text)
	switch {
	case whole.MatchString(s.text):
		return s.unexpected(into, decimal(s.text)+"s")
	case days.MatchString(s.text) && len(s.text) < 6:
		n, _ := strconv.Atoi(strings.TrimSuffix(s.text, "d")) // digits only
		return s.unexpected(into, strconv.Itoa(24*n)+"h")
	case err != nil:
		return s.unexpected(into, "")
	}
	*into = d
	return ""
}

func (s scalar) boolean(into *bool) string {
	switch strings.ToLower(s.text) {
	case "true", "yes", "on", "y":
		*into = true
	case "false", "no", "off", "n":
		*into = false
	default:
		return s.unexpected(into, nearest(s.text, []string{"true", "false"}))
	}
	// YAML 1.1 takes yes, on and y for true and YAML 1.2 for words, so we take
	// only what both agree on.
	if plain := strconv.FormatBool(*into); s.quoted || strings.ToLower(s.text) != plain {
		return s.unexpected(into, plain)
	}
	return ""
}

// number fills an *int or a *float64.
func (s scalar) number(into any) string {
	var err error
	switch into := into.(type) {
	case *int:
		if !whole.MatchString(s.text) || octal.MatchString(s.text) || s.quoted {
			return s.unexpected(into, decimal(s.text))
		}
		*into, err = strconv.Atoi(s.text)
	case *float64:
		if !ratio.MatchString(s.text) || octal.MatchString(s.text) || s.quoted {
			return s.unexpected(into, "")
		}
		*into, err = strconv.ParseFloat(s.text, 64)
	default:
		panic(fmt.Sprintf("BUG: a configuration can't hold a %T", into))
	}
	if err != nil {
		return fmt.Sprintf("%s is too large", s.shown())
	}
	return ""
}

// unexpected is the sentence for text of the wrong kind.
func (s scalar) unexpected(into any, meant string) string {
	problem := "expected " + expectation(into) + ", got " + s.shown()
	if s.quoted && s.text == meant {
		problem += " in quotes"
	}
	if meant != "" && len(s.names) == 0 {
		problem += "; did you mean " + meant + "?"
	}
	return problem
}

// shown is how a mistake shows the text. What came from the environment is
// named only: it may be a secret in the wrong place.
func (s scalar) shown() string {
	if len(s.names) > 0 && s.text == "" {
		return "nothing, because environment variable " + s.names[0] + " is empty"
	}
	if len(s.names) > 0 {
		return "the value of environment variable " + strings.Join(s.names, ", ")
	}
	return strconv.Quote(shorten(s.text))
}

// decimal is a whole number without the zeros that make it octal, or nothing.
func decimal(text string) string {
	if !whole.MatchString(text) {
		return ""
	}
	sign := text[:len(text)-len(strings.TrimLeft(text, "+-"))]
	if digits := strings.TrimLeft(text, "+-0"); digits != "" {
		return sign + digits
	}
	return "0"
}

// kindOf names what stands in the place of something else. It does not show
// the value, which may be a secret in the wrong place.
func kindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a block of keys"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

// shownKey is how a mistake shows a key of the file.
func shownKey(key *yaml.Node) string {
	if plainKey.MatchString(key.Value) {
		return shorten(key.Value)
	}
	return strconv.Quote(shorten(key.Value))
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_<-]+$`)

// shorten cuts a long text.
func shorten(text string) string {
	const most = 40
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
