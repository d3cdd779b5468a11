package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"
)

// names of members that come again and again: one copy of each is kept, which
// saves about 150 bytes for each stored message.
var names = map[string]string{}

func init() {
	for _, n := range []string{
		"id", "organization", "orgPath", "conversation", "type", "role", "contentType", "text",
		"isBackchannel", "user", "contact", "meta", "delay", "touchpoint", "actions", "items",
		"payload", "uri", "url", "name", "profile", "email", "telephone", "params", "status",
		"participants", "messages", "createdAt", "updatedAt",
	} {
		names[n] = n
	}
}

// decode reads one JSON text; numbers stay as they were written, and of a
// repeated key the last one counts.
func decode(body []byte) (any, error) {
	if !json.Valid(body) {
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			return nil, err
		}
		return nil, errors.New("invalid JSON")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return decodeValue(d)
}

func decodeValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return decodeObject(d)
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decodeValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	return t, nil
}

func decodeObject(d *json.Decoder) (any, error) {
	o := object{}
	at := map[string]int{} // of a key in o: an object may have a million members
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key := t.(string)
		if n, ok := names[key]; ok {
			key = n
		}
		v, err := decodeValue(d)
		if err != nil {
			return nil, err
		}
		if i, again := at[key]; again {
			o[i].value = v
			continue
		}
		at[key] = len(o)
		o = append(o, member{key, v})
	}
	_, err := d.Token()
	return o, err
}

// appendJSON writes v compactly.
func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case json.Number:
		return append(dst, v...)
	case string:
		return appendString(dst, v)
	case object:
		return appendObject(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, e)
		}
		return append(dst, ']')
	}
	panic("BUG: a value that JSON has no word for")
}

func appendObject(dst []byte, o object) []byte {
	dst = append(dst, '{')
	for i, m := range o {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, m.key)
		dst = append(dst, ':')
		dst = appendJSON(dst, m.value)
	}
	return append(dst, '}')
}

func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	if isPlain(s) {
		return append(append(dst, s...), '"')
	}
	for _, r := range s { // an invalid byte arrives here as U+FFFD
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// isPlain says whether a text needs no escapes.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
