package loopguard

import (
	"errors"
	"strings"
	"testing"
)

func TestAnErrorSaysWhatAndWhere(t *testing.T) {
	var batch Batch
	on := func(path string) func(body, want string) {
		return func(body, want string) {
			t.Helper()
			err := testReader.Read(&batch, []byte(body), []byte(path))
			var fault *ReadError
			if !errors.As(err, &fault) {
				t.Errorf("%.80q: %v is no *ReadError", body, err)
			} else if err.Error() != want {
				t.Errorf("%.80q:\ngot  %s\nwant %s", body, err, want)
			}
		}
	}
	f := on("")
	f(`{"text":"a","meta":{"text":"b"},"text":"c"}`, `duplicate key "text" at byte 32`)
	f(`{"text":"a","te\u0078t":"c"}`, `duplicate key "text" at byte 12`)
	f(`{"b":1,"a":1,"a":2,"b":2}`, `duplicate key "a" at byte 13`)
	f(`{"meta":[{"x":1,"x":1}]}`, `duplicate key "x" at byte 16`)
	f(`{"delay":1,"delay":1}`, `duplicate key "delay" at byte 11`)
	f(`{"conversation":"a","conversation":"a"}`, `duplicate key "conversation" at byte 20`)
	f(`{"\n":1,"\n":1}`, `duplicate key "\n" at byte 8`)
	f(`{"`+strings.Repeat("k", 32)+`":1,"`+strings.Repeat("k", 32)+`":1}`, `duplicate key "`+strings.Repeat("k", 32)+`" at byte 38`)
	f(`{"`+strings.Repeat("k", 33)+`":1,"`+strings.Repeat("k", 33)+`":1}`, `duplicate key at byte 39`)
	f(`{`+strings.Repeat(`"a":0,`, 20)+`"b":1}`, `duplicate key "a" at byte 7`)
	f(`{"c":0,"b":0,`+strings.Repeat(`"a":0,`, 20)+`"b":1}`, `duplicate key "a" at byte 19`)
	f("{\"text\":\"a\x80\"}", "invalid UTF-8 at byte 10")
	f("{\"text\":\"a\xed\xa0\x80\"}", "invalid UTF-8 at byte 10")
	f("{\"text\":\"a\nb\"}", "unexpected character at byte 10")
	f(`{"text":"a\x"}`, "unexpected character at byte 11")
	f(`{"text":"\u12"}`, "unexpected character at byte 13")
	f(`{"text":01}`, "unexpected character at byte 9")
	f(`{"text":nul}`, "unexpected character at byte 11")
	f(`{"text":"a"`, "unexpected end at byte 11")
	f(`{"text":"a`, "unexpected end at byte 10")
	f(`{} {}`, "unexpected character at byte 3")
	f(``, "expected a message, which is a JSON object, at byte 0")
	f(`"secret"`, "expected a message, which is a JSON object, at byte 0")
	f(`[{},"secret"]`, "expected a message, which is a JSON object, at byte 4")
	f(`[[{}]]`, "expected a message, which is a JSON object, at byte 1")
	f("\xEF\xBB\xBF[1]", "expected a message, which is a JSON object, at byte 4")
	f(`{"conversation":17}`, "the conversation is no string at byte 16")
	f(`{"conversation":{"$ne":1}}`, "the conversation is no string at byte 16")
	f(`{"conversation":["a"]}`, "the conversation is no string at byte 16")
	f(`{"conversation":false}`, "the conversation is no string at byte 16")
	f(`{"v":`+strings.Repeat("[", 32)+strings.Repeat("]", 32)+`}`, "nested deeper than 32 levels at byte 36")
	f(strings.Repeat(`[`, 1<<20), "expected a message, which is a JSON object, at byte 1")
	f(`{"v":`+strings.Repeat(`{"v":`, 1<<20), "nested deeper than 32 levels at byte 160")

	f = on("c1")
	f(`{"conversation":"c2"}`, "the conversation is not the one in the path at byte 16")
	f(`{"conversation":""}`, "the conversation is not the one in the path at byte 16")
	f(`[{"conversation":"c1"},{"conversation":"c2"}]`, "the conversation is not the one in the path at byte 39")
}

// No error may carry what somebody wrote to somebody.
func TestAnErrorHoldsNoMessageText(t *testing.T) {
	body := `[{"text":"secret secret","` + strings.Repeat("secret ", 6) + `":{"secret":["secret",1.5]},"` + strings.Repeat("secret ", 6) + `":0}]`
	var batch Batch
	for cut := range len(body) {
		for _, in := range []string{body[:cut], body[:cut] + "\x01" + body[cut:], body[:cut] + "secret" + body[cut:]} {
			if err := testReader.Read(&batch, []byte(in), nil); err != nil && strings.Contains(err.Error(), "secret") {
				t.Fatalf("%q: %v", in, err)
			}
		}
	}
}
