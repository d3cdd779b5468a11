package config

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/chatshipper/gateway/internal/unit"
)

// object is a JSON Schema, or a part of one. encoding/json writes its members in
// the order of the alphabet, so that the same structs always give the same text.
type object = map[string]any

// placeholder is what any value may hold instead: a reference to the
// environment, which only the running gateway can fill in.
const placeholder = `\$\{`

// words are the closed sets that a text is one of. A test finds a set that is
// missing here, by what Validate says to a word that is none of them.
var words = map[string][]string{
	"identity.opaque_tokens": {"bot", "human"},
	"identity.users[].role":  {"bot", "human"},
	"identity.keys[].role":   {"bot", "human"},
	"limits.per_key.by":      {"token", "user"},
	"store.kind":             {"memory", "redis"},
	"store.redis.on_failure": {"local", "allow", "deny"},
	"log.level":              {"debug", "info", "warn", "error"},
	"log.format":             {"json", "text"},
}

// explanations are those of the blocks within blocks and of the keys of list
// items, which have no line of their own in the example.
var explanations = map[string]string{
	"listen.tls":                    "makes the public listener speak TLS",
	"upstream.tls":                  "how an https:// upstream is verified",
	"upstream.health_check":         "asks the upstream at intervals whether it is up",
	"admin.tls":                     "makes the admin listener speak TLS",
	"identity.users[].id":           "the user's id, the claim _id",
	"identity.users[].role":         "bot or human",
	"identity.keys[].sha256":        "SHA-256 of the API key, in hex",
	"identity.keys[].user":          "the user's id; may be left out",
	"identity.keys[].role":          "bot or human",
	"identity.introspection":        "asks the upstream who a token's user is",
	"methods.exceptions[].method":   "the method that passes",
	"methods.exceptions[].path":     "the path on which it does, in which {name} is any one segment",
	"limits.per_ip":                 "for each client address",
	"limits.per_key":                "for each API key",
	"limits.overrides[].key_sha256": "SHA-256 of the API key, in hex",
	"limits.overrides[].user":       "a user's id",
	"limits.overrides[].cidr":       "a network of client addresses",
	"limits.overrides[].requests":   "admitted in any window",
	"limits.overrides[].window":     "how long a request counts",
	"limits.exempt[].path":          "a path, exact or ending in /*",
	"limits.exempt[].cidr":          "a network of client addresses",
	"loopguard.identical":           "messages with the same content",
	"loopguard.consecutive":         "messages since the last reply",
	"log.sample":                    "which requests get a line in the access log; an answer of 500 or more always does",
	"store.memory":                  "counts in this process",
	"store.redis":                   "counts where several gateways share them",
	"tracing.tls":                   "how an https:// collector is verified",
	"store.redis.tls":               "how the connection to Redis is secured",
	"store.redis.sentinel":          "finds the master where Sentinels watch it",
}

// WriteSchema writes the JSON Schema (draft 7, which editors know best) of a
// configuration file: the keys and types of the structs, the defaults, and the
// explanations of the example. It describes the shape of a file; what else
// `gateway check` finds wrong, such as a window that is too long, it lets pass.
func WriteSchema(w io.Writer, example []byte) error {
	texts, err := explained(example)
	if err != nil {
		return err
	}
	s := schema{texts: texts}
	root := s.block(reflect.ValueOf(Default()), "")
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "Configuration of the gateway for the ChatShipper API"
	root["required"] = []string{"upstream"}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(root); err != nil {
		return fmt.Errorf("cannot write the schema: %w", err)
	}
	return nil
}

// schema writes the parts of a schema.
type schema struct{ texts map[string]string }

// block describes a struct. Nothing after the colon means the defaults.
func (s schema) block(v reflect.Value, path string) object {
	properties := object{}
	for i, key := range keysOf(v.Type()) {
		properties[key] = s.value(v.Field(i), join(path, key))
	}
	o := object{"type": []string{"object", "null"}, "additionalProperties": false, "properties": properties}
	if path == "upstream" {
		o["required"] = []string{"url"}
	}
	return o
}

// value describes whatever stands at path, with its default and explanation.
func (s schema) value(v reflect.Value, path string) object {
	var o object
	switch v.Kind() {
	case reflect.Struct:
		o = s.block(v, path)
	case reflect.Slice:
		o = object{"type": []string{"array", "null"}, "items": s.item(v.Type().Elem(), path+"[]"), "default": list(v)}
	default:
		o = leafSchema(v, path)
		o["default"] = standard(v)
	}
	if text := s.texts[path]; text != "" {
		o["description"] = text
	}
	return o
}

// item describes an item of a list, which has no default and no null.
func (s schema) item(of reflect.Type, path string) object {
	if of.Kind() != reflect.Struct {
		return leafSchema(reflect.Zero(of), path)
	}
	properties := object{}
	for i, key := range keysOf(of) {
		at := join(path, key)
		o := leafSchema(reflect.Zero(of.Field(i).Type), at)
		o["description"] = s.texts[at]
		properties[key] = o
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}

// leafSchema describes one value that is neither a block nor a list.
func leafSchema(v reflect.Value, path string) object {
	reference := object{"type": "string", "pattern": placeholder}
	or := func(o object) object { return object{"anyOf": []object{o, reference}} }
	switch v.Interface().(type) {
	case time.Duration:
		return or(object{"type": "string", "pattern": `^[-+]?([0-9]*\.?[0-9]+(ns|us|µs|μs|ms|s|m|h))+$|^[-+]?0$`})
	case unit.Bytes:
		return object{"anyOf": []object{{"type": "integer", "minimum": 0}, {"type": "string", "pattern": `^[0-9.]+ *([KkMmGgTt][Ii]?)?[Bb]?$`}, reference}}
	case unit.Mode:
		return or(object{"enum": []string{"enforce", "shadow", "off"}})
	case bool:
		return or(object{"type": "boolean"})
	case int:
		return or(object{"type": "integer"})
	case float64:
		return or(object{"type": "number"})
	}
	if set := words[path]; set != nil {
		return or(object{"enum": set})
	}
	// YAML takes an id of digits for a number; the gateway takes it for text.
	return object{"type": []string{"string", "number", "boolean"}}
}

// standard is a default as it stands in a file.
func standard(v reflect.Value) any {
	switch v := v.Interface().(type) {
	case time.Duration:
		return duration(v)
	case unit.Bytes, unit.Mode, unit.Secret:
		return fmt.Sprint(v)
	default:
		return v
	}
}

// list is the default of a list; an empty one is [], not null.
func list(v reflect.Value) any {
	if v.Len() == 0 {
		return []any{}
	}
	return v.Interface()
}

// explained collects what the example says about each key: at the end of its
// line, or, for the blocks of the first level, above it.
func explained(example []byte) (map[string]string, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(example, &root); err != nil {
		return nil, fmt.Errorf("cannot read the example: %w", err)
	}
	texts := make(map[string]string, len(explanations))
	for path, text := range explanations {
		texts[path] = text
	}
	collect(root.Content[0], "", texts)
	return texts, nil
}

func collect(node *yaml.Node, path string, texts map[string]string) {
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at, comment := join(path, key.Value), key.LineComment+value.LineComment
		if path == "" {
			comment = key.HeadComment
		}
		if comment != "" {
			texts[at] = sentence(comment)
		}
		collect(value, at, texts)
	}
}

// sentence is a comment without its marks and line ends.
func sentence(comment string) string {
	lines := strings.Split(comment, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#"))
	}
	return strings.Join(lines, " ")
}
