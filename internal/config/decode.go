package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxAliased bounds how many nodes are visited by way of aliases (*name): a few
// lines of them can stand for millions of nodes.
const maxAliased = 10_000

// loader reads one file. It walks the YAML nodes beside the structs that they
// fill: yaml.v3's own strict mode names Go types instead of keys, gives no
// columns, and is lost below any type with an UnmarshalYAML of its own.
type loader struct {
	file    string
	root    reflect.Type // of the whole file
	getenv  func(string) (string, bool)
	list    []Mistake
	unread  []string // paths whose values could not be read
	inAlias int      // how many aliases led to the node that is visited
	aliased int      // nodes that were visited by way of an alias

	origins     origins
	secretFiles map[string]string
	given       map[string]string // the text of every leaf; never kept in a Config, because it holds secrets
}

// refuse records that the value at path can't be read.
func (l *loader) refuse(node *yaml.Node, path, problem string) {
	l.blame(positionOf(node), path, problem)
	l.unread = append(l.unread, path)
}

// decode fills into from the root of a document.
func (l *loader) decode(root *yaml.Node, into reflect.Value) {
	if l.root = into.Type(); root != nil {
		l.value(root, into, "")
	}
}

// value fills one struct, list or leaf.
func (l *loader) value(node *yaml.Node, into reflect.Value, path string) {
	target := node
	if node.Kind == yaml.AliasNode {
		target = node.Alias
		l.inAlias++
		defer func() { l.inAlias-- }()
	}
	switch {
	case l.inAlias > 0 && l.tooMany(node, target, path):
	case target.Style&yaml.TaggedStyle != 0:
		l.refuse(node, path, "YAML tags are not understood here; put a value that begins with ! in quotes")
	case into.Kind() == reflect.Struct:
		l.block(target, into, path)
	case into.Kind() == reflect.Slice:
		l.items(target, into, path)
	default:
		l.leaf(node, target, into.Addr().Interface(), path)
	}
}

// tooMany counts a node that is visited by way of an alias, and says so once
// when there are too many of them.
func (l *loader) tooMany(node, target *yaml.Node, path string) bool {
	before := l.aliased
	l.aliased += 1 + len(target.Content)
	if l.aliased <= maxAliased {
		return false
	}
	if before <= maxAliased {
		l.refuse(node, path, fmt.Sprintf("aliases stand for more than %d values", maxAliased))
	}
	return true
}

// block fills a struct from a mapping. Nothing after the colon leaves the
// defaults as they are.
func (l *loader) block(node *yaml.Node, into reflect.Value, path string) {
	if isNull(node) {
		return
	}
	keys := keysOf(into.Type())
	if node.Kind != yaml.MappingNode {
		l.refuse(node, path, fmt.Sprintf("expected a block with keys such as %s, got %s", some(keys), kindOf(node)))
		return
	}
	first := make(map[string]int, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := key.Value
		if key.Kind != yaml.ScalarNode {
			l.blame(positionOf(key), path, "a key must be a plain word")
			continue
		}
		if line, again := first[name]; again {
			l.blame(positionOf(key), join(path, shownKey(key)), fmt.Sprintf("is set twice; the first time on line %d", line))
			continue
		}
		first[name] = key.Line
		field, known := fieldOf(into, name)
		if !known {
			l.unknown(key, keys, path)
			continue
		}
		l.note(key, value, join(path, name))
		l.value(value, field, join(path, name))
	}
}

// items fills a slice from a sequence. Nothing after the colon leaves the
// default as it is; an empty list replaces it.
func (l *loader) items(node *yaml.Node, into reflect.Value, path string) {
	if isNull(node) {
		return
	}
	if node.Kind != yaml.SequenceNode {
		problem := "expected a list such as [a, b], got " + kindOf(node)
		if node.Kind == yaml.ScalarNode {
			problem += "; put the value in [ ]"
		}
		l.refuse(node, path, problem)
		return
	}
	list := reflect.Zero(into.Type())
	if n := len(node.Content); n > 0 {
		list = reflect.MakeSlice(into.Type(), n, n)
	}
	into.Set(list)
	for i, item := range node.Content {
		at := path + "[" + strconv.Itoa(i) + "]"
		if isNull(item) {
			l.refuse(item, at, "expected a list item, got nothing")
			continue
		}
		l.note(item, item, at)
		l.value(item, list.Index(i), at)
	}
}

// note remembers where path was set: at its value when that stands beside the
// key, else at the key.
func (l *loader) note(key, value *yaml.Node, path string) {
	at := positionOf(key)
	if value.Line == key.Line || value.Kind == yaml.ScalarNode {
		at = positionOf(value)
	}
	l.origins[path] = origin{position: at}
}

// unknown blames a key that stands for nothing.
func (l *loader) unknown(key *yaml.Node, known []string, path string) {
	at := join(path, shownKey(key))
	switch near := nearest(key.Value, known); {
	case key.Value == "<<":
		l.blame(positionOf(key), at, "merge keys are not understood here; repeat the keys, or use an alias for the whole block")
	case near != "":
		l.blame(positionOf(key), at, fmt.Sprintf("unknown key; did you mean %q?", near))
		l.unread = append(l.unread, join(path, near))
	case len(l.elsewhere(key.Value)) == 1:
		l.blame(positionOf(key), at, fmt.Sprintf("unknown key here; did you mean %q?", l.elsewhere(key.Value)[0]))
	default:
		l.blame(positionOf(key), at, "unknown key; known here are "+some(known))
	}
}

// keysOf lists the YAML keys of a struct, in the order of its fields.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// fieldOf returns the field of a struct that a key names.
func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if key != "" && v.Type().Field(i).Tag.Get("yaml") == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// elsewhere lists the paths of the whole file that may end in key, for a key that
// was indented wrongly. Items of lists are left out.
func (l *loader) elsewhere(key string) []string {
	var found []string
	var search func(t reflect.Type, path string)
	search = func(t reflect.Type, path string) {
		for i := range t.NumField() {
			name := t.Field(i).Tag.Get("yaml")
			if name == "" {
				continue
			}
			if name == key {
				found = append(found, join(path, name))
			}
			if t.Field(i).Type.Kind() == reflect.Struct {
				search(t.Field(i).Type, join(path, name))
			}
		}
	}
	search(l.root, "")
	return found
}

// some lists the first few keys.
func some(keys []string) string {
	const few = 8
	if len(keys) > few {
		return strings.Join(keys[:few], ", ") + " and others"
	}
	return strings.Join(keys, ", ")
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

func positionOf(node *yaml.Node) position { return position{node.Line, node.Column} }
