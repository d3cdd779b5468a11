package e2e

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	endian "encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"unicode/utf16"
)

// postedBody is a body in the conversation `spelled`, as it is written on the
// wire.
type postedBody struct {
	target  string
	headers []string
	wire    string // with its framing
}

// request is the message of a bot in this body.
func (b postedBody) request(host, token string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nX-Conversation: %s\r\n%s\r\n", b.target, host, token, spelled, strings.Join(b.headers, "\r\n")) + b.wire
}

// explain says which body an error is about.
func (b postedBody) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("POST %s %q %.300q: %w", b.target, b.headers, b.wire, err)
}

// framed is a body with a Content-Length, and chunked one in chunks of a few
// bytes.
func framed(body string) (header, wire string) {
	return fmt.Sprintf("Content-Length: %d\r\n", len(body)), body
}

func chunked(body string) (header, wire string) {
	var b strings.Builder
	for len(body) > 0 {
		n := min(len(body), 7)
		fmt.Fprintf(&b, "%X;a=b\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return "Transfer-Encoding: chunked\r\n", b.String() + "0\r\nX-Trailer: 1\r\n\r\n"
}

// place is one of the routes, with the JSON that says "same" there.
type place struct{ target, said string }

var places = []place{
	{"/v2/messages", `{"conversation":"` + spelled + `","text":"same"}`},
	{"/v2/conversations/" + spelled + "/messages", `{"text":"same"}`},
	{"/v2/conversations", `{"messages":[{"text":"same"}]}`},
}

const jsonType = "Content-Type: application/json"

// bodies is every text as plain JSON; the plain one in every type, encoding,
// charset and framing; what is no JSON in every type; and n that are put together
// at random.
func bodies(rng *rand.Rand, n int) []postedBody {
	var list []postedBody
	add := func(p place, body string, frame func(string) (header, wire string), headers ...string) {
		header, wire := frame(body)
		list = append(list, postedBody{p.target, append(headers, header), wire})
	}
	for _, p := range places {
		for _, text := range texts(p) {
			add(p, text, framed, jsonType)
		}
		for _, t := range contentTypes {
			for _, text := range append(formTexts(p), p.said) {
				add(p, text, framed, t...)
			}
		}
		for _, e := range encodings {
			add(p, e.encode(p.said), framed, append([]string{jsonType}, e.headers...)...)
		}
		for _, c := range charsets {
			add(p, c.encode(p.said), framed, "Content-Type: application/json; charset="+c.name)
			add(p, c.encode(p.said), framed, jsonType)
		}
		add(p, p.said, chunked, jsonType)
	}
	for range n {
		p := places[rng.IntN(len(places))]
		text := pick(rng, append(texts(p), formTexts(p)...))
		e, frame := pick(rng, encodings), framed
		if rng.IntN(3) > 0 {
			text = pick(rng, charsets).encode(text)
		}
		if rng.IntN(2) > 0 {
			frame = chunked
		}
		add(p, e.encode(text), frame, append(append([]string{}, pick(rng, contentTypes)...), e.headers...)...)
	}
	return list
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

// texts is what the plain text at a place may be written as, and bodies that only
// resemble it.
func texts(p place) []string {
	said := p.said
	list := []string{
		said, " " + said, said + "\n", "\ufeff" + said, "\ufeff\ufeff" + said, said + said, said + " x", said + "\x00", said + ",", "\x00" + said, said + "//", "/**/" + said, "[" + said + "]", "[" + said + "," + said + "]", "[[" + said + "]]", "[]", "", "{}", "null", `"` + said + `"`, "1", "[null]", "[1," + said + "]", "[" + said + ",]",
		"[" + strings.TrimSuffix(strings.Repeat(said+",", 8), ",") + "]", "[" + strings.TrimSuffix(strings.Repeat(said+",", 9), ",") + "]",
		strings.Replace(said, "same", "s\xffme", 1), strings.Replace(said, "same", "s\xc0\xa1me", 1), strings.Replace(said, "same", "s\xed\xa0\x80me", 1), strings.Replace(said, "same", "s\x00me", 1), strings.Replace(said, "same", "s\nme", 1),
	}
	for _, text := range []string{
		`"text":"s\u0061me"`, `"te\u0078t":"same"`, `"te\u0078t":"sam\u0065"`, `"\u0074\u0065\u0078\u0074":"same"`, "\"text\"\t:\r\n\"same\"", `"text":"same","text":"same"`, `"text":"a","text":"same"`, `"text":"same","text":"b"`, `"text":"same","te\u0078t":"b"`, `"text":"same","TEXT":"b"`, `"TEXT":"same"`, `"Text":"b","text":"same"`, `"text":"same","text\u0000":"b"`, `"text":"same","te\u017ft":"b"`,
		`"text":"same","__proto__":{"text":"b"}`, `"__proto__":{"text":"same"}`, `"text":"same","constructor":{"prototype":{"text":"b"}}`, `"text":"same","toString":1`, `"text":"same","delay":1`, `"delay":2,"text":"same"`, `"text":"same","Delay":1`, `"text":"same","delay":1,"delay":2`,
		`"text":"same","role":"contact"`, `"text":"same","role":"con\u0074act"`, `"text":"same","Role":"contact"`, `"text":"same","role":"agent","role":"contact"`, `"text":"same","meta":{"a":1,"a":2}`, `"text":"same","meta":{"b":1,"a":2}`, `"text":"same","meta":{"a":2,"b":1}`,
		`"text":"\ud800"`, `"text":"\udc00\ud800"`, `"text":"\ud83d\ude00"`, "\"text\":\"\U0001f600\"", `"text":"\ufffd"`, `"text":"\ufeffsame"`, `"text":"same\u0000"`, `"text":"\u2028"`, "\"text\":\"\u2028\"", `"text":"\/"`, `"text":"/"`, `"text":"\x61"`, `"text":"\u00e9"`, `"text":"e\u0301"`,
		`"text":1`, `"text":1.0`, `"text":1e0`, `"text":-0`, `"text":0`, `"text":1e400`, `"text":2e999`, `"text":-1e400`, `"text":9007199254740993`, `"text":9007199254740992`, `"text":0.1`, `"text":0.10000000000000001`, `"text":01`, `"text":+1`, `"text":.5`, `"text":NaN`, `"text":Infinity`, `"text":0x1`, `"text":null`, `"text":true`, `"text":["same"]`, `"text":{"$ne":1}`, `"text":'same'`, `text:"same"`,
		`"text":"same",`, `"text":"same"//`, `"text":"same","n":` + strings.Repeat("[", 29) + strings.Repeat("]", 29), `"text":"same","n":` + strings.Repeat("[", 40) + strings.Repeat("]", 40), `"text":"same","n":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), `"text":"` + strings.Repeat("same", 3_000) + `"`,
		`"text":"same","conversation":"` + spelled + `"`, `"conversation":"` + strings.ToUpper(spelled) + `","text":"same"`, `"text":"same","conversation":"65aa0e00aabbccddeeff0043"`, `"text":"same","conversation":1`, `"text":"same","conversation":null`, `"text":"same","conversation":{"id":"` + spelled + `"}`, `"text":"same","conversation":["` + spelled + `"]`, `"text":"same","Conversation":"x"`, `"text":"same","conversation":""`, `"text":"same","messages":[{"text":"same"}]`, `"text":"same","messages":null`, `"text":"same","messages":{}`,
	} {
		list = append(list, strings.Replace(said, `"text":"same"`, text, 1))
	}
	return list
}

// formTexts is the same in what is no JSON.
func formTexts(p place) []string {
	const boundary = "--x\r\nContent-Disposition: form-data; name=\""
	return []string{
		"text=same&conversation=" + spelled, "messages[0][text]=same", "te%78t=s%61me&conversation=" + spelled, "text[]=same&text[]=same", "text=same&text=b",
		p.said + "=&text=same", `{"a":"&text=same&conversation=` + spelled + `&b="}`, `{"text":"a","b":"&text=same"}`,
		boundary + "text\"\r\n\r\nsame\r\n" + boundary + "conversation\"\r\n\r\n" + spelled + "\r\n--x--\r\n",
	}
}

// contentTypes is lines that say what a body is, or don't.
var contentTypes = func() [][]string {
	list := [][]string{
		nil, {"content-type: application/json"}, {jsonType, jsonType}, {jsonType, "Content-Type: application/x-www-form-urlencoded"}, {"Content-Type: application/x-www-form-urlencoded", jsonType}, {jsonType, "Content-Type: application/json; charset=utf-16le"}, {jsonType, "Content_Type: text/plain"}, {"X-Content-Type: application/json"},
	}
	for _, t := range []string{
		"", "Application/JSON", " application/json ", "application/json;", "application/json ; charset=utf-8", "application/json;charset=UTF8", `application/json; charset="utf-8"`, `application/json; charset="utf\-8"`, "application/json; charset='utf-8'", "application/json; charset=", "application/json; charset", "application/json; charset = utf-16le", "application/json; CHARSET=utf-16le", "application/json; charset*=utf-8''utf-16le",
		"application/json; charset=utf-8; charset=utf-16le", "application/json; charset=utf-16le; charset=utf-8", `application/json; a="; charset=utf-8"; charset=utf-7`, `application/json; a="\"; charset=utf-7`, "application/json; charset=utf-7", "application/json; charset=us-ascii", "application/json; charset=iso-8859-1", "application/json; charset=shift_jis", "application/json; charset=none", "application/json; q=1", "application/json, text/plain", "text/plain, application/json", "application/json; version=2",
		"text/json", "text/plain", "text/html", "text/javascript", "application/vnd.api+json", "application/problem+json; charset=utf-8", "application/json+x", "application/x+json+", "application/+json", "+json", "json", "*/*", "*/json", "application/*", "application/", "/json", "application/jsonp", "application/x-json", "application/jsonrequest", "application/json-seq", "application/x-ndjson", "application/csp-report", "application/javascript", "application/octet-stream", "application/xml",
		"application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8", "application/x-www-form-urlencoded+json", "multipart/form-data; boundary=x", "multipart/mixed; boundary=x", "multipart/form-data+json; boundary=x", "message/rfc822", "image/png", "bad type", "application\\json", "application/json\t;\tcharset=utf-8",
	} {
		list = append(list, []string{"Content-Type: " + t})
	}
	return list
}()

// encoding compresses a body, or claims to.
type encoding struct {
	headers []string
	encode  func(string) string
}

func as(name string, encode func(string) string) encoding {
	return encoding{[]string{"Content-Encoding: " + name}, encode}
}

var encodings = []encoding{
	{nil, plainly},
	as("identity", plainly), as("", plainly), as("Identity", plainly), as("identity, identity", plainly), as("none", plainly), as("gzip", plainly), as("utf-8", plainly), as("aws-chunked", plainly),
	as("gzip", gzipped), as("GZIP", gzipped), as("x-gzip", gzipped), as(" gzip ", gzipped), as("gzip;q=1", gzipped), as("gzip, identity", gzipped), as("identity, gzip", gzipped), as("gzip,gzip", twice(gzipped)), as("identity", gzipped),
	{nil, gzipped},
	as("gzip", twoMembers),
	as("deflate", deflated), as("Deflate", deflated), as("deflate", rawDeflated), as("x-deflate", deflated), as("br", brotli), as("BR", brotli), as("br, gzip", brotli), as("zstd", zstandard), as("compress", plainly), as("x-zstd", zstandard),
	{[]string{"Content-Encoding: identity", "Content-Encoding: gzip"}, gzipped},
	{[]string{"Content-Encoding: gzip", "Content-Encoding: identity"}, gzipped},
	{[]string{"Content-Encoding: ", "Content-Encoding: gzip"}, gzipped},
	{[]string{"content-encoding: gzip"}, gzipped},
	{[]string{"TE: gzip"}, plainly},
	{[]string{"Transfer-Encoding: gzip"}, gzipped},
}

func plainly(s string) string { return s }

func twice(f func(string) string) func(string) string {
	return func(s string) string { return f(f(s)) }
}

func gzipped(s string) string {
	return written(s, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

// twoMembers is the text in two gzip members, which some readers stop between.
func twoMembers(s string) string { return gzipped(s[:len(s)/2]) + gzipped(s[len(s)/2:]) }

func deflated(s string) string {
	return written(s, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
}

func rawDeflated(s string) string {
	return written(s, func(w io.Writer) io.WriteCloser {
		c, _ := flate.NewWriter(w, flate.DefaultCompression) // fails on an unknown level only
		return c
	})
}

func written(s string, open func(io.Writer) io.WriteCloser) string {
	var b bytes.Buffer
	w := open(&b)
	_, _ = io.WriteString(w, s) // a Buffer takes everything
	_ = w.Close()
	return b.String()
}

// brotli is one stored metablock of at most 64 KiB (RFC 7932, section 9.2).
func brotli(s string) string {
	if s == "" {
		return "\x06"
	}
	s = s[:min(len(s), 1<<16)]
	head := uint32(len(s)-1)<<4 | 1<<20 // window 16, not last, 4 nibbles, length-1, uncompressed
	return string([]byte{byte(head), byte(head >> 8), byte(head >> 16)}) + s + "\x03"
}

// zstandard is one raw block (RFC 8878, section 3.1.1).
func zstandard(s string) string {
	s = s[:min(len(s), 1<<17)]
	head := endian.LittleEndian.AppendUint32([]byte("\x28\xb5\x2f\xfd\xa0"), uint32(len(s)))
	block := uint32(len(s))<<3 | 1
	return string(append(head, byte(block), byte(block>>8), byte(block>>16))) + s
}

// charset writes a text in another alphabet's bytes.
type charset struct {
	name   string
	encode func(string) string
}

var charsets = []charset{
	{"utf-8", plainly},
	{"utf-16le", utf16With(endian.LittleEndian, "")},
	{"utf-16be", utf16With(endian.BigEndian, "")},
	{"utf-16", utf16With(endian.LittleEndian, "\ufeff")},
	{"utf-16", utf16With(endian.BigEndian, "\ufeff")},
	{"ucs-2", utf16With(endian.LittleEndian, "")},
	{"utf16", utf16With(endian.LittleEndian, "")},
	{"UTF-16LE", utf16With(endian.LittleEndian, "")},
	{`"utf-16le"`, utf16With(endian.LittleEndian, "")},
	{"utf-32le", utf32},
	{"utf-32", utf32},
	{"utf-7", utf7},
	{"utf-7-imap", utf7},
	{"utf-8", utf7},
	{"cesu-8", plainly},
	{"utf-8-sig", plainly},
	{"utf-8", utf16With(endian.LittleEndian, "\ufeff")},
}

func utf16With(order endian.AppendByteOrder, mark string) func(string) string {
	return func(s string) string {
		var b []byte
		for _, unit := range utf16.Encode([]rune(mark + s)) {
			b = order.AppendUint16(b, unit)
		}
		return string(b)
	}
}

func utf32(s string) string {
	var b []byte
	for _, r := range s {
		b = endian.LittleEndian.AppendUint32(b, uint32(r))
	}
	return string(b)
}

// utf7 hides the letter x, which is in "text", in ASCII.
func utf7(s string) string { return strings.ReplaceAll(s, "x", "+AHg-") }
