package apierror

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Normalise turns the body of an upstream's error (status 400 or more) into a
// JSON object with a top-level string message. What a "string message" is, is
// decided as Node's JSON.parse would: names match exactly, after unescaping, and
// the last of several equal names wins.
//
//   - A JSON object that has it passes byte for byte: body itself is returned,
//     with changed false. Its Content-Type may still be wrong; see IsJSON.
//   - A JSON object without one gains it, from error.message, error when that is
//     a string, errors[0].message, detail or title, the first of them that is a
//     string and not empty, else the status's standard text. It is placed first,
//     or in the place of a message that is no string. Where error is missing it
//     is added with the same message, and where it is an object without a string
//     message it gains one, because ChatShipper's SDK reads error.message; an
//     error of any other type stays. Everything else is kept byte for byte.
//   - Everything else is replaced by an object of the standard text and the
//     status: what is no JSON object, is larger than maxBytes, is not UTF-8, or
//     has several messages of which the last is no string. Nothing of such a
//     body reaches the client.
//
// What is changed is appended to dst, which must not share memory with body.
func Normalise(dst []byte, status int, body []byte, maxBytes int) (out []byte, changed bool) {
	open := len(body) - len(bytes.TrimLeft(body, " \t\r\n"))
	if len(body) > maxBytes || open == len(body) || body[open] != '{' || !utf8.Valid(body) || !json.Valid(body) {
		return appendStandard(dst, status), true
	}
	message, count := lookup(body, open, "message")
	switch {
	case message.isString(body):
		return body, false
	case count > 1:
		return appendStandard(dst, status), true
	}
	return appendRepaired(dst, status, body, open, message), true
}

// appendStandard appends the object that replaces an unusable body.
func appendStandard(dst []byte, status int) []byte {
	text := StatusText(status)
	dst = append(dst, `{"message":"`...)
	dst = append(dst, text...)
	dst = append(dst, `","status":`...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, `,"error":{"message":"`...)
	dst = append(dst, text...)
	dst = append(dst, `","status":`...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	return append(dst, `}}`...)
}

// repair is one change to a body: at an offset, drop that many bytes and write
// before, the quoted text, and, when again is set, again and the text once
// more, and after.
type repair struct {
	at, drop             int
	before, again, after string
}

// appendRepaired appends the object at open with the message that it lacks.
// message is its member of that name when that is no string.
func appendRepaired(dst []byte, status int, body []byte, open int, message span) []byte {
	fault, _ := lookup(body, open, "error")
	first := repairMessage(body, open, message, fault)
	second, needed := repairFault(body, fault)
	if needed && second.at < first.at {
		first, second = second, first
	}
	var scratch [64]byte // fits every standard text
	text := findText(body, open, fault)
	if text == nil {
		text = append(append(append(scratch[:0], '"'), StatusText(status)...), '"')
	}
	dst, done := first.append(dst, body, 0, text)
	if needed {
		dst, done = second.append(dst, body, done, text)
	}
	return append(dst, body[done:]...)
}

// append writes body from the offset done on, up to and with the repair, and
// returns the offset after it.
func (r *repair) append(dst, body []byte, done int, text []byte) ([]byte, int) {
	dst = append(dst, body[done:r.at]...)
	dst = append(append(dst, r.before...), text...)
	if r.again != "" {
		dst = append(append(dst, r.again...), text...)
	}
	dst = append(dst, r.after...)
	return dst, r.at + r.drop
}

// repairMessage is the change that gives the object its message, and its error
// when that is missing.
func repairMessage(body []byte, open int, message, fault span) repair {
	r := repair{at: open + 1, before: `"message":`}
	if fault.absent() {
		r.again, r.after = `,"error":{"message":`, "}"
	}
	switch {
	case !message.absent():
		r.at, r.drop, r.before = message.start, message.end-message.start, ""
	case !isEmpty(body, open):
		r.after += ","
	}
	return r
}

// repairFault is the change that gives an error object its message; needed is
// false when it has one, or is no object.
func repairFault(body []byte, fault span) (r repair, needed bool) {
	if !fault.isObject(body) {
		return repair{}, false
	}
	message, _ := lookup(body, fault.start, "message")
	switch {
	case message.isString(body):
		return repair{}, false
	case !message.absent():
		return repair{at: message.start, drop: message.end - message.start}, true
	case isEmpty(body, fault.start):
		return repair{at: fault.start + 1, before: `"message":`}, true
	}
	return repair{at: fault.start + 1, before: `"message":`, after: ","}, true
}

// findText returns the quoted string that best tells what went wrong, or nil.
func findText(body []byte, open int, fault span) []byte {
	if fault.isObject(body) {
		if s, _ := lookup(body, fault.start, "message"); s.isText(body) {
			return s.of(body)
		}
	}
	if fault.isText(body) {
		return fault.of(body)
	}
	if s := firstOfErrors(body, open); s.isText(body) {
		return s.of(body)
	}
	for _, name := range [...]string{"detail", "title"} {
		if s, _ := lookup(body, open, name); s.isText(body) {
			return s.of(body)
		}
	}
	return nil
}

// firstOfErrors is errors[0].message.
func firstOfErrors(body []byte, open int) span {
	list, _ := lookup(body, open, "errors")
	if list.absent() || body[list.start] != '[' {
		return span{}
	}
	at := skipSpace(body, list.start+1)
	if body[at] != '{' {
		return span{}
	}
	message, _ := lookup(body, at, "message")
	return message
}
