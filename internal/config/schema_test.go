package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const schemaFile = "../../config.schema.json"

func schemaOf(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if err := WriteSchema(&out, []byte(example(t))); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// `go test ./internal/config -update` writes it anew.
func TestTheCommittedSchemaIsThatOfTheStructs(t *testing.T) {
	compare(t, schemaFile, schemaOf(t))
}

// part is what the tests read of a schema.
type part struct {
	Properties           map[string]*part
	Items                *part
	AdditionalProperties *bool
	Description          string
	Default              any
	Type                 any
}

func TestTheSchemaHasEveryKeyAndExplainsIt(t *testing.T) {
	var root part
	if err := json.Unmarshal([]byte(schemaOf(t)), &root); err != nil {
		t.Fatal(err)
	}
	sameKeys(t, &root, reflect.TypeFor[Config](), "")
}

func sameKeys(t *testing.T, p *part, of reflect.Type, path string) {
	t.Helper()
	if p.AdditionalProperties == nil || *p.AdditionalProperties || len(p.Properties) != len(keysOf(of)) {
		t.Errorf("%q: the schema has %d keys and perhaps allows others; the struct has %d", path, len(p.Properties), len(keysOf(of)))
	}
	for i, key := range keysOf(of) {
		at, field, inner := join(path, key), of.Field(i).Type, p.Properties[key]
		if inner == nil {
			t.Errorf("the schema lacks %s", at)
			continue
		}
		if inner.Description == "" {
			t.Errorf("the schema does not explain %s: say in config.example.yaml, or for a block or an item in `explanations`, what it is", at)
		}
		if field.Kind() == reflect.Slice {
			at, field, inner = at+"[]", field.Elem(), inner.Items
		}
		if field.Kind() == reflect.Struct {
			sameKeys(t, inner, field, at)
		}
	}
}

func TestEveryExplanationIsOfAKeyThatExists(t *testing.T) {
	var root part
	if err := json.Unmarshal([]byte(schemaOf(t)), &root); err != nil {
		t.Fatal(err)
	}
	for _, paths := range []map[string]string{explanations, wordPaths()} {
		for path := range paths {
			p := &root
			for _, key := range strings.Split(path, ".") {
				name, isItem := strings.CutSuffix(key, "[]")
				if p = p.Properties[name]; p == nil {
					t.Fatalf("there is no key %s", path)
				}
				if isItem {
					p = p.Items
				}
			}
		}
	}
}

func wordPaths() map[string]string {
	paths := make(map[string]string)
	for path := range words {
		paths[path] = ""
	}
	return paths
}

var demand = regexp.MustCompile(`(?:expected|must be) ([a-z]+(?:, [a-z]+)*(?: or [a-z]+)?), got "no-such-word"`)

// Every set of words in the schema is the one that Validate demands, which says
// so to a word that is none of them.
func TestTheSchemaKnowsTheWordsThatValidateKnows(t *testing.T) {
	found := map[string][]string{}
	probe := func(c *Config, field reflect.Value, path string) {
		field.SetString("no-such-word")
		c.validate(func(at, problem string) {
			m := demand.FindStringSubmatch(problem)
			if at == strings.ReplaceAll(path, "[]", "[0]") && m != nil {
				found[path] = strings.Split(strings.ReplaceAll(m[1], " or ", ", "), ", ")
			}
		})
	}
	everyText(reflect.TypeFor[Config](), "", nil, probe)
	for path, set := range found {
		if !slices.Equal(words[path], set) {
			t.Errorf("%s: the schema knows %v, Validate %v", path, words[path], set)
		}
	}
	for path := range words {
		if found[path] == nil {
			t.Errorf("%s: the schema knows %v, but Validate takes any word or does not list its words", path, words[path])
		}
	}
}

// everyText calls probe once for each text that a configuration can hold, each
// time with a configuration of its own.
func everyText(of reflect.Type, path string, index []int, probe func(c *Config, field reflect.Value, path string)) {
	for i, key := range keysOf(of) {
		at, to, field := join(path, key), append(slices.Clone(index), i), of.Field(i).Type
		isList := field.Kind() == reflect.Slice && field.Elem().Kind() == reflect.Struct
		switch {
		case field.Kind() == reflect.Struct:
			everyText(field, at, to, probe)
		case isList:
			for j, name := range keysOf(field.Elem()) {
				if field.Elem().Field(j).Type.Kind() != reflect.String {
					continue
				}
				c := Default()
				list := reflect.ValueOf(&c).Elem().FieldByIndex(to)
				list.Set(reflect.MakeSlice(field, 1, 1))
				probe(&c, list.Index(0).Field(j), at+"[]."+name)
			}
		case field.Kind() == reflect.String:
			c := Default()
			probe(&c, reflect.ValueOf(&c).Elem().FieldByIndex(to), at)
		}
	}
}

// Editors complete and check a configuration whose first line names the schema.
func TestEveryExampleIsRightAndNamesTheSchema(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := entry.Name(); {
		case entry.IsDir() && (name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") && name != ".."):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".yaml" || !isConfiguration(t, path):
			return nil
		}
		seen++
		isRight(t, path)
		up := strings.Repeat("../", strings.Count(path, "/")-2)
		if first := firstLine(t, path); first != fmt.Sprintf("# yaml-language-server: $schema=%sconfig.schema.json", up) {
			t.Errorf("%s is a configuration, but its first line %q does not name the schema", path, first)
		}
		return nil
	})
	if err != nil || seen == 0 {
		t.Errorf("found %d examples: %v", seen, err)
	}
}

// isConfiguration tells a configuration of the gateway from other YAML.
func isConfiguration(t *testing.T, path string) bool {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Upstream struct{ URL *string } }
	return yaml.Unmarshal(data, &file) == nil && file.Upstream.URL != nil
}

// isRight demands that an example has no mistake but files that are not here.
func isRight(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m *Mistakes
	if _, err := Parse(path, []byte(withURL(string(data))), environment()); !errors.As(err, &m) {
		return
	}
	for _, mistake := range m.List {
		if !strings.Contains(mistake.Problem, "no such file or directory") {
			t.Error(mistake)
		}
	}
}

func firstLine(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(data), "\n")
	return first
}

func TestWriteSchemaReportsWhatItCannotDo(t *testing.T) {
	if err := WriteSchema(failingWriter{}, []byte("a: 1")); err == nil || !strings.HasPrefix(err.Error(), "cannot write the schema: ") {
		t.Errorf("got %v", err)
	}
	if err := WriteSchema(failingWriter{}, []byte("\t")); err == nil || !strings.HasPrefix(err.Error(), "cannot read the example: ") {
		t.Errorf("got %v", err)
	}
}
