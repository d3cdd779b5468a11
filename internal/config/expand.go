package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// expansion is a scalar after its environment variables were filled in.
type expansion struct {
	text     string
	names    []string // the variables whose values are part of text
	problems []string
}

var (
	variable     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	nextVariable = regexp.MustCompile(`(?s)\$\$|\$\{([^}]*)(\}?)`)
)

// expand fills in ${NAME}, ${NAME:-default} (used when NAME is unset or empty)
// and $$, which stands for one dollar sign. Any other dollar sign stands for
// itself. It works on one scalar after parsing, so that no value of a variable
// can add a key, a comment or a line to the file.
func expand(text string, getenv func(string) (string, bool)) expansion {
	var e expansion
	var out strings.Builder
	for text != "" {
		m := nextVariable.FindStringSubmatchIndex(text)
		if m == nil {
			break
		}
		out.WriteString(text[:m[0]])
		switch {
		case m[2] < 0:
			out.WriteByte('$')
		case m[4] == m[5]:
			e.problems = append(e.problems, "${ is never closed; write ${NAME}, or $$ for a dollar sign")
		default:
			out.WriteString(e.lookup(text[m[2]:m[3]], getenv))
		}
		text = text[m[1]:]
	}
	e.text = out.String() + text
	return e
}

// lookup returns what stands for ${reference}.
func (e *expansion) lookup(reference string, getenv func(string) (string, bool)) string {
	name, fallback, hasFallback := strings.Cut(reference, ":-")
	if !variable.MatchString(name) || strings.Contains(fallback, "${") {
		e.problems = append(e.problems, "expected ${NAME} or ${NAME:-default}; write $$ for a dollar sign")
		return ""
	}
	value, set := getenv(name)
	if hasFallback && value == "" {
		return fallback
	}
	switch {
	case !set:
		e.problems = append(e.problems, fmt.Sprintf("environment variable %s is not set; set it, or give a default as ${%s:-default}", name, name))
	case !utf8.ValidString(value):
		e.problems = append(e.problems, fmt.Sprintf("environment variable %s is not valid UTF-8", name))
	}
	e.names = append(e.names, name)
	return value
}
