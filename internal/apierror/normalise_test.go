package apierror

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const maxBody = 1 << 10

func TestAnErrorWithAStringMessagePassesByteForByte(t *testing.T) {
	f := func(body string) {
		t.Helper()
		out, changed := Normalise([]byte("dst"), 404, []byte(body), maxBody)
		if changed || string(out) != body {
			t.Errorf("%q became %q", body, out)
		}
	}
	f(`{"message":"x"}`)
	f(`{"message":""}`)
	f(" \r\n\t{ \"status\" : 404 , \"message\" : \"x\" } \n")
	f(`{"a":{"b":[1,{"message":2}]},"message":"x","error":null}`)
	f(`{"\u006dessage":"x"}`)
	f(`{"message":1,"message":"x"}`)
	f(`{"message":1,"mess\u0061ge":"x"}`)
	f(`{"message":"a \"quoted\" \\ brace } \ud800"}`)
	f(`{"message":"` + strings.Repeat("x", maxBody-14) + `"}`)
}

func TestAnErrorWithoutMessageGainsIt(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		out, changed := Normalise(nil, 404, []byte(body), maxBody)
		if diff := cmp.Diff(want, string(out)); diff != "" || !changed {
			t.Errorf("%s: changed %v, -want +got\n%s", body, changed, diff)
		}
	}
	// Where the text comes from, in this order.
	f(`{"error":{"message":"e"},"errors":[{"message":"s"}],"detail":"d","title":"t"}`,
		`{"message":"e","error":{"message":"e"},"errors":[{"message":"s"}],"detail":"d","title":"t"}`)
	f(`{"title":"t","detail":"d","errors":[{"message":"s"}],"error":"e"}`,
		`{"message":"e","title":"t","detail":"d","errors":[{"message":"s"}],"error":"e"}`)
	f(`{"title":"t","detail":"d","errors":[{"message":"s"},{"message":"u"}]}`,
		`{"message":"s","error":{"message":"s"},"title":"t","detail":"d","errors":[{"message":"s"},{"message":"u"}]}`)
	f(`{"title":"t","detail":"d"}`, `{"message":"d","error":{"message":"d"},"title":"t","detail":"d"}`)
	f(`{"title":"t"}`, `{"message":"t","error":{"message":"t"},"title":"t"}`)
	f(`{"code":7}`, `{"message":"Not Found","error":{"message":"Not Found"},"code":7}`)
	f(`{}`, `{"message":"Not Found","error":{"message":"Not Found"}}`)
	f(" { } ", ` {"message":"Not Found","error":{"message":"Not Found"} } `)

	// What is no text, or empty, is passed over.
	f(`{"error":"","detail":"","title":"t"}`, `{"message":"t","error":"","detail":"","title":"t"}`)
	f(`{"errors":[],"detail":"d"}`, `{"message":"d","error":{"message":"d"},"errors":[],"detail":"d"}`)
	f(`{"errors":["s"],"detail":"d"}`, `{"message":"d","error":{"message":"d"},"errors":["s"],"detail":"d"}`)
	f(`{"errors":{"message":"s"}}`, `{"message":"Not Found","error":{"message":"Not Found"},"errors":{"message":"s"}}`)
	f(`{"errors":[ {"message":1}],"title":2}`, `{"message":"Not Found","error":{"message":"Not Found"},"errors":[ {"message":1}],"title":2}`)

	// Names match exactly; of equal names the last wins.
	f(`{"Message":"x","MESSAGE":"y"}`, `{"message":"Not Found","error":{"message":"Not Found"},"Message":"x","MESSAGE":"y"}`)
	f(`{"detail":"a","detail":"b"}`, `{"message":"b","error":{"message":"b"},"detail":"a","detail":"b"}`)
	f(`{"error":"a","error":{}}`, `{"message":"Not Found","error":"a","error":{"message":"Not Found"}}`)
	f(`{"error":{"message":"a"},"error":[]}`, `{"message":"Not Found","error":{"message":"a"},"error":[]}`)

	// The text keeps its escapes.
	f(`{"detail":"\"\u00e9\\\n"}`, `{"message":"\"\u00e9\\\n","error":{"message":"\"\u00e9\\\n"},"detail":"\"\u00e9\\\n"}`)
}

func TestAMessageThatIsNoStringIsReplacedInItsPlace(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		out, changed := Normalise(nil, 422, []byte(body), maxBody)
		if diff := cmp.Diff(want, string(out)); diff != "" || !changed {
			t.Errorf("%s: changed %v, -want +got\n%s", body, changed, diff)
		}
	}
	f(`{"a":1, "message" : ["x","}"] ,"error":"Bad"}`, `{"a":1, "message" : "Bad" ,"error":"Bad"}`)
	f(`{"message":null}`, `{"message":"Unprocessable Content","error":{"message":"Unprocessable Content"}}`)
	f(`{"message":{"a":{}},"b":2}`, `{"message":"Unprocessable Content","error":{"message":"Unprocessable Content"},"b":2}`)
	f(`{"error":{"a":1},"message":-1.5e3}`, `{"error":{"message":"Unprocessable Content","a":1},"message":"Unprocessable Content"}`)
	f(`{"message":true,"error":{"a":1}}`, `{"message":"Unprocessable Content","error":{"message":"Unprocessable Content","a":1}}`)
}

func TestAnErrorObjectGainsTheMessageThatTheSDKReads(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		out, _ := Normalise(nil, 500, []byte(body), maxBody)
		if diff := cmp.Diff(want, string(out)); diff != "" {
			t.Errorf("%s: -want +got\n%s", body, diff)
		}
	}
	f(`{"error":{},"title":"t"}`, `{"message":"t","error":{"message":"t"},"title":"t"}`)
	f(`{"error":{"code":"x"},"title":"t"}`, `{"message":"t","error":{"message":"t","code":"x"},"title":"t"}`)
	f(`{"error":{"message":7,"code":"x"},"title":"t"}`, `{"message":"t","error":{"message":"t","code":"x"},"title":"t"}`)
	f(`{"error":{"message":1,"message":2},"title":"t"}`, `{"message":"t","error":{"message":1,"message":"t"},"title":"t"}`)
	f(`{"error":{"message":""},"title":"t"}`, `{"message":"t","error":{"message":""},"title":"t"}`)
	f(`{"error":true,"title":"t"}`, `{"message":"t","error":true,"title":"t"}`)
}

func TestNothingOfAnUnusableErrorReachesTheClient(t *testing.T) {
	f := func(status int, body string) {
		t.Helper()
		out, changed := Normalise([]byte("dst"), status, []byte(body), maxBody)
		n, text := strconv.Itoa(status), StatusText(status)
		want := `dst{"message":"` + text + `","status":` + n + `,"error":{"message":"` + text + `","status":` + n + `}}`
		if diff := cmp.Diff(want, string(out)); diff != "" || !changed {
			t.Errorf("%.40q: changed %v, -want +got\n%s", body, changed, diff)
		}
	}
	f(502, "")
	f(502, " ")
	f(502, "<html><h1>502 Bad Gateway</h1>nginx/1.18.0</html>")
	f(500, "jwt expired")
	f(500, `"message"`)
	f(500, `[{"message":"x"}]`)
	f(500, `null`)
	f(500, `7`)
	f(500, `{"message":"x"`)
	f(500, `{"message":"x"}}`)
	f(500, `{"message":"x"} {}`)
	f(500, `{"message":"x",}`)
	f(500, `{'message':'x'}`)
	f(500, `{"message":"x"}<!-- -->`)
	f(500, `{"message":01}`)
	f(500, `{"message":"x`+"\x00"+`"}`)
	f(500, `{"message":"x`+"\n"+`"}`)
	f(500, `{"message":"x\q"}`)
	f(500, `{"message":"`+"\xff"+`"}`)
	f(500, `{"message":"`+"\xed\xa0\x80"+`"}`) // a surrogate in UTF-8
	f(500, "\ufeff"+`{"message":"x"}`)         // a byte order mark
	f(500, `{"message":"x","message":null}`)
	f(500, `{"message":"x","\u006dessage":1}`)
	f(500, `{"message":1,"message":2}`)
	f(499, `{"message":"`+strings.Repeat("x", maxBody-13)+`"}`) // a byte too long
	f(599, strings.Repeat("[", maxBody))
	f(420, strings.Repeat(`{"a":`, 100)+"1")
}

func TestDeeplyNestedErrorsAreRead(t *testing.T) {
	deep := `{"a":` + strings.Repeat(`[{"b":`, 50) + `"message"` + strings.Repeat(`}]`, 50) + `}`
	out, _ := Normalise(nil, 500, []byte(deep), maxBody)
	checkNormal(t, 500, []byte(deep), out)
}

func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"message":"x"}`, `{"message":1,"error":{"message":2}}`, `{"error":"x","a":[{}]}`,
		`{"errors":[{"message":"x"}],"a":"\ud800"}`, ` { "detail" : "\u0022" , "title":"t" } `,
		`{"\u006dessage":{"error":{}},"error":{ }}`, `{"message":1,"message":2}`, "{\"a\":\"\xff\"}",
	} {
		f.Add(404, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		before := bytes.Clone(body)
		out, changed := Normalise(make([]byte, 0, 16), status, body, maxBody)
		if !bytes.Equal(before, body) {
			t.Fatalf("the body was changed: %q", body)
		}
		if !changed && !bytes.Equal(out, body) {
			t.Fatalf("unchanged, but %q became %q", body, out)
		}
		checkNormal(t, status, body, out)
	})
}

// checkNormal holds what every normalised error promises: it is a JSON object
// with a string message, and either nothing of the body is in it or every other
// member is, byte for byte and in order.
func checkNormal(t *testing.T, status int, body, out []byte) {
	t.Helper()
	got, ok := members(out)
	if !ok || !utf8.Valid(out) {
		t.Fatalf("%q became %q, which is no JSON object", body, out)
	}
	message := ""
	if json.Unmarshal(got.last("message"), &message) != nil || got.last("message")[0] != '"' {
		t.Fatalf("%q became %q, which has no string message", body, out)
	}
	sent, ok := members(body)
	standard := string(out) == string(appendStandard(nil, status))
	if !ok || len(body) > maxBody || !utf8.Valid(body) {
		if !standard {
			t.Fatalf("unusable %q became %q", body, out)
		}
		return
	}
	if standard {
		return
	}
	if diff := cmp.Diff(sent.without("message", "error"), got.without("message", "error")); diff != "" {
		t.Fatalf("%q became %q: -sent +got\n%s", body, out, diff)
	}
}

type member struct{ Name, Value string }

type object []member

// members reads a JSON object with encoding/json alone.
func members(b []byte) (object, bool) {
	if !json.Valid(b) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if open, _ := d.Token(); open != json.Delim('{') {
		return nil, false
	}
	all := object{}
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		all = append(all, member{name.(string), string(value)})
	}
	_, _ = d.Token()
	_, err := d.Token()
	return all, err == io.EOF
}

func (o object) last(name string) []byte {
	value := []byte("null")
	for _, m := range o {
		if m.Name == name {
			value = []byte(m.Value)
		}
	}
	return value
}

func (o object) without(names ...string) object {
	rest := object{}
	for _, m := range o {
		if m.Name != names[0] && m.Name != names[1] {
			rest = append(rest, m)
		}
	}
	return rest
}
