package sandbox

import (
	"slices"
	"strings"
)

// object is a JSON object that keeps the order of its members, so that an
// answer reads like the examples of the documentation. An object that the
// store has published is never changed again: an update makes a new one, and
// that is why a reader may encode it without holding a lock.
type object []member

type member struct {
	key   string
	value any // nil, bool, json.Number, int, string, object or []any
}

// obj builds an object from alternating keys and values.
func obj(pairs ...any) object {
	o := make(object, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		o = append(o, member{pairs[i].(string), pairs[i+1]})
	}
	return o
}

func (o object) index(key string) int {
	for i := range o {
		if o[i].key == key {
			return i
		}
	}
	return -1
}

func (o object) has(key string) bool { return o.index(key) >= 0 }

func (o object) get(key string) any {
	if i := o.index(key); i >= 0 {
		return o[i].value
	}
	return nil
}

// text is the member as a string, "" when it is absent or no string.
func (o object) text(key string) string {
	s, _ := o.get(key).(string)
	return s
}

func (o object) object(key string) object {
	v, _ := o.get(key).(object)
	return v
}

func (o object) list(key string) []any {
	v, _ := o.get(key).([]any)
	return v
}

func (o object) flag(key string) bool {
	v, _ := o.get(key).(bool)
	return v
}

// set changes an object that nobody else has seen yet.
func (o *object) set(key string, value any) {
	if i := o.index(key); i >= 0 {
		(*o)[i].value = value
		return
	}
	*o = append(*o, member{key, value})
}

// setDefault sets what is absent.
func (o *object) setDefault(key string, value any) {
	if !o.has(key) {
		o.set(key, value)
	}
}

// with is a copy in which one member is replaced or added.
func (o object) with(key string, value any) object {
	c := append(make(object, 0, len(o)+1), o...)
	c.set(key, value)
	return c
}

// without is a copy that lacks the named members.
func (o object) without(keys ...string) object {
	c := make(object, 0, len(o))
	for _, m := range o {
		if !slices.Contains(keys, m.key) {
			c = append(c, m)
		}
	}
	return c
}

// each calls yield for every value that a dotted path reaches, descending
// into objects and into every element of an array, until yield says false.
// An array at the end of the path is given element by element.
func each(v any, path string, yield func(any) bool) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if !each(e, path, yield) {
				return false
			}
		}
		return true
	case object:
		if path == "" {
			return yield(v)
		}
		head, rest, _ := strings.Cut(path, ".")
		if i := v.index(head); i >= 0 {
			return each(v[i].value, rest, yield)
		}
		return true
	default:
		return path != "" || yield(v)
	}
}

// first is the first value that a dotted path reaches.
func first(o object, path string) (value any, found bool) {
	if v, simple := o.simple(path); simple {
		return v, true
	}
	each(o, path, func(v any) bool {
		value, found = v, true
		return false
	})
	return value, found
}

// simple is the value at a path without dots, if it is neither absent nor an
// array: what each would give, five times as fast (BenchmarkListAllMessages).
func (o object) simple(path string) (value any, simple bool) {
	i := o.index(path)
	if i < 0 {
		return nil, false
	}
	_, isList := o[i].value.([]any)
	return o[i].value, !isList
}

// same compares two values as JSON, the order of members included.
func same(a, b any) bool {
	switch a := a.(type) {
	case object:
		o, isObject := b.(object)
		return isObject && slices.EqualFunc(a, o, sameMember)
	case []any:
		l, isList := b.([]any)
		return isList && slices.EqualFunc(a, l, same)
	}
	switch b.(type) {
	case object, []any:
		return false
	}
	return a == b
}

func sameMember(a, b member) bool { return a.key == b.key && same(a.value, b.value) }
