package config

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/chatshipper/gateway/internal/unit"
)

// WriteEffective writes the whole configuration as YAML: every key in the order
// of the documentation, defaults filled in, secrets redacted, and behind every
// value that is no default a comment that says where it was set. What it writes
// can be loaded again, except for secrets.
func (c *Config) WriteEffective(w io.Writer) error {
	e := effective{config: c, file: strings.Map(visible, c.file)}
	e.block(reflect.ValueOf(c).Elem(), "", "")
	if _, err := w.Write(e.out.Bytes()); err != nil {
		return fmt.Errorf("cannot write the configuration: %w", err)
	}
	return nil
}

// effective is the text of a configuration in the making.
type effective struct {
	out    bytes.Buffer
	config *Config
	file   string // its name, fit for a comment
}

// visible keeps the name of a file from ending the comment that it stands in.
func visible(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}

// block writes the keys of a struct.
func (e *effective) block(v reflect.Value, path, indent string) {
	for i, key := range keysOf(v.Type()) {
		field, at := v.Field(i), join(path, key)
		switch {
		case field.Kind() == reflect.Struct:
			e.line(indent + key + ":")
			e.block(field, at, indent+"  ")
		case field.Kind() != reflect.Slice:
			e.line(indent + key + ": " + e.leaf(field, at) + e.comment(at))
		case field.Len() > 0 && field.Type().Elem().Kind() == reflect.Struct:
			e.line(indent + key + ":" + e.comment(at))
			for j := range field.Len() {
				e.item(field.Index(j), at+"["+strconv.Itoa(j)+"]", indent+"  ")
			}
		default:
			e.line(indent + key + ": " + e.words(field) + e.comment(at))
		}
	}
}

// item writes a struct as an item of a list. Its keys have no defaults, so only
// those that say something are written.
func (e *effective) item(v reflect.Value, path, indent string) {
	bullet := "- "
	for i, key := range keysOf(v.Type()) {
		if v.Field(i).IsZero() {
			continue
		}
		at := join(path, key)
		e.line(indent + bullet + key + ": " + e.leaf(v.Field(i), at) + e.comment(at))
		bullet = "  "
	}
	if bullet == "- " {
		e.line(indent + "- {}")
	}
}

// words writes a list of words on one line.
func (e *effective) words(list reflect.Value) string {
	texts := make([]string, list.Len())
	for i := range texts {
		texts[i] = text(list.Index(i).String())
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

func (e *effective) line(text string) { e.out.WriteString(text + "\n") }

// leaf writes one value. A secret that came from a file is shown as the name of
// the file only.
func (e *effective) leaf(field reflect.Value, path string) string {
	switch v := field.Interface().(type) {
	case string:
		if file, ok := e.config.secretFiles[path]; ok {
			return text(file)
		}
		return text(v)
	case unit.Secret:
		if _, ok := e.config.secretFiles[path+"_file"]; ok {
			return `""`
		}
		return strconv.Quote(v.String())
	case time.Duration:
		return duration(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v) // bool, int, unit.Bytes, unit.Mode
	}
}

// comment says where the value at path was set, if it was.
func (e *effective) comment(path string) string {
	o, ok := e.config.origins[path]
	if !ok {
		return ""
	}
	variables := o.environment
	for i := 0; ; i++ { // a list of words is written on one line
		item, ok := e.config.origins[path+"["+strconv.Itoa(i)+"]"]
		if !ok {
			break
		}
		variables = append(variables, item.environment...)
	}
	if len(variables) > 0 {
		return "  # environment " + strings.Join(variables, ", ")
	}
	return fmt.Sprintf("  # %s:%d", e.file, o.line)
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_/.-]*(://[A-Za-z0-9/_.-]+)?$`)
	otherType = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null)$`)
)

// text writes a string so that YAML reads it as this string and nothing else.
func text(s string) string {
	if plainText.MatchString(s) && !otherType.MatchString(s) {
		return s
	}
	return strings.ReplaceAll(strconv.Quote(s), "$", "$$")
}

// duration writes a duration as people do: 90s, 3m and 1h, not 1m30s, 3m0s and
// 1h0m0s.
func duration(d time.Duration) string {
	if d > 0 && d < 2*time.Minute && d%time.Second == 0 {
		return strconv.Itoa(int(d/time.Second)) + "s"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
