package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// FuzzParse holds the reader of configurations to three promises: it never
// panics, every error names at least one mistake, and what is accepted can be
// written and read again with the same meaning.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, exampleFile) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{
		"", "~", "upstream: {url: https://a}", "log: {level: ${TEXT}}", "limits: {per_ip: {requests: ${VALUE}}}",
		"upstream: {url: 'https://a'}\nlimits: {exempt: [{path: /}, &a {cidr: ::/0}, *a]}", "? a\n: b", "a: &a [*a]",
	} {
		f.Add([]byte(text))
	}
	getenv := environment("VALUE", "5", "TEXT", "a: b # c\nd", "EMPTY", "")

	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data, getenv)
		if err != nil {
			var m *Mistakes
			if !errors.As(err, &m) || len(m.List) == 0 || m.Error() == "" || c != nil {
				t.Fatalf("unexpected error %#v", err)
			}
			return
		}
		_ = c.Warnings()
		if c.Webhook.Secret != "" || c.Store.Redis.Password != "" || c.Identity.JWT.Secret != "" {
			return // secrets are not written
		}
		var out bytes.Buffer
		if err := c.WriteEffective(&out); err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again.yaml", out.Bytes(), environment())
		if err != nil {
			t.Fatalf("cannot read what was written: %s\n%s", err, out.String())
		}
		if !reflect.DeepEqual(values(c), values(again)) {
			t.Fatalf("another configuration came back from:\n%s", out.String())
		}
	})
}

// FuzzText holds the writer of YAML to one: it writes no text that reads as
// another, whatever the text is.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "~", "no", "1", "a: b", "a #b", "$${A}", "\x00\r\n\t\u0085\u2028\ufeff\U0001f600", `"\'`, "https://a/b", ".", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return // neither YAML nor a variable can hold it
		}
		for _, form := range []string{"username: %s", "username: %s # comment", "{username: %s, password: ''}"} {
			var node yaml.Node
			if err := yaml.Unmarshal(fmt.Appendf(nil, form, text(s)), &node); err != nil {
				t.Fatalf("cannot read %s: %s", text(s), err)
			}
			value := node.Content[0].Content[1]
			if got := expand(value.Value, environment()); got.text != s || value.Tag != "!!str" {
				t.Fatalf("%q was written as %s, which reads as %s %q", s, text(s), value.Tag, got.text)
			}
		}
	})
}
