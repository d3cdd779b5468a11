package loopguard

import (
	"strings"
	"testing"

	"github.com/chatshipper/gateway/internal/digest"
)

var (
	testHasher = digest.NewHasher("test")
	testReader = NewReader(DefaultConfig(), testHasher)
)

func readOne(t *testing.T, r *Reader, body, path string) Message {
	t.Helper()
	var batch Batch
	if err := r.Read(&batch, []byte(body), []byte(path)); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	if len(batch.Messages) != 1 {
		t.Fatalf("%q: read %d messages, want 1", body, len(batch.Messages))
	}
	return batch.Messages[0]
}

func TestMessagesAreIdenticalWhenTheirContentIs(t *testing.T) {
	content := func(body string) digest.ID { return readOne(t, testReader, body, "").Content }
	f := func(a, b string, want bool) {
		t.Helper()
		if got := content(a) == content(b); got != want {
			t.Errorf("%s and %s: identical is %v, want %v", a, b, got, want)
		}
	}
	same := func(a, b string) { t.Helper(); f(a, b, true) }
	differ := func(a, b string) { t.Helper(); f(a, b, false) }

	same(`{"text":"a","role":"bot"}`, `{ "role" : "bot",`+"\n"+`"text" : "a" }`)
	same(`{"text":"a"}`, "\xEF\xBB\xBF"+`{"te\u0078t":"\u0061"}`)
	same(`{"meta":{"a":1,"b":[{"c":1,"d":2}]}}`, `{"meta":{"b":[{"d":2.0,"c":1e0}],"a":10e-1}}`)
	same(`{"text":"a","conversation":"x"}`, `{"text":"a","conversation":"y"}`)
	same(`{"text":"a","delay":100}`, `{"text":"a"}`)
	same(`{"text":"a","delay":{"deep":[1]}}`, `{"delay":2,"text":"a"}`)
	same(`{"n":-0}`, `{"n":0}`)
	same(`{"n":1e999}`, `{"n":2e999}`)
	same(`{"t":"😀"}`, `{"t":"\ud83d\uDE00"}`)

	differ(`{"text":"a"}`, `{"text":"b"}`)
	differ(`{"text":"a"}`, `{"TEXT":"a"}`)
	differ(`{"text":"a"}`, `{"text":"a "}`)
	differ(`{"text":"é"}`, `{"text":"e\u0301"}`)
	differ(`{"text":"a","type":"chat"}`, `{"text":"a","type":"card"}`)
	differ(`{"meta":{"delay":1}}`, `{"meta":{"delay":2}}`)
	differ(`{"meta":{"conversation":"x"}}`, `{"meta":{"conversation":"y"}}`)
	differ(`{"items":["a","b"]}`, `{"items":["b","a"]}`)
	differ(`{"items":[["a"],"b"]}`, `{"items":["a",["b"]]}`)
	differ(`{"n":1}`, `{"n":"1"}`)
	differ(`{"n":null}`, `{}`)
	differ(`{"n":[]}`, `{"n":{}}`)
	differ(`{"n":true}`, `{"n":false}`)
	differ(`{"n":1e999}`, `{"n":-1e999}`)
	differ(`{"t":"\ud800"}`, `{"t":"\ud801"}`)
	differ(`{"t":"\ud800"}`, `{"t":"\ufffd"}`)
	differ(`{"a":"b"}`, `{"b":"a"}`)
	differ(`{"a":{"b":1},"c":2}`, `{"a":{"b":1,"c":2}}`)
}

func TestIgnoredFieldsAreTheConfiguredOnes(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Identical.IgnoreFields = []string{"nonce", "role"}
	r := NewReader(cfg, testHasher)
	cfg.Identical.IgnoreFields[0] = "text" // a Reader doesn't change once it is made

	plain := readOne(t, r, `{"text":"a"}`, "")
	noisy := readOne(t, r, `{"nonce":7,"text":"a","role":"contact"}`, "")
	if noisy.Content != plain.Content {
		t.Error("ignored fields made a message different")
	}
	if !noisy.Contact {
		t.Error("an ignored role is still a role")
	}
	if readOne(t, r, `{"text":"a","delay":1}`, "").Content == plain.Content {
		t.Error("delay is ignored though it isn't configured")
	}
}

func TestAMessageGoesWhereThePathOrElseTheBodySays(t *testing.T) {
	f := func(body, path, want string) {
		t.Helper()
		if got := readOne(t, testReader, body, path).Conversation; got != testReader.Conversation([]byte(want)) {
			t.Errorf("%s on path %q doesn't go to %q", body, path, want)
		}
	}
	f(`{"conversation":"c1"}`, "", "c1")
	f(`{"conversation":"c1"}`, "c1", "c1")
	f(`{}`, "c1", "c1")
	f(`{"conversation":null}`, "c1", "c1")
	f(`{"\u0063onversation":"\u0063\u0031"}`, "", "c1")
	f(`{}`, "", "")
	f(`{"conversation":null}`, "", "")
	f(`{"conversation":""}`, "", "")
	f(`{"Conversation":"c1"}`, "", "")
	f(`{"meta":{"conversation":"c1"}}`, "", "")
	// The same 24 hex digits in either case are the same id in the database.
	f(`{"conversation":"65AA0E00AABBCCDDEEFF0001"}`, "", "65aa0e00aabbccddeeff0001")
	f(`{"conversation":"65AA0E00AABBCCDDEEFF0001"}`, "65aa0e00aabbccddeeff0001", "65aa0e00aabbccddeeff0001")
}

func TestOtherIdsKeepTheirCase(t *testing.T) {
	for _, id := range []string{"C1", "65AA0E00AABBCCDDEEFF000G", "65AA0E00AABBCCDDEEFF00010"} {
		if testReader.Conversation([]byte(id)) == testReader.Conversation([]byte(strings.ToLower(id))) {
			t.Errorf("%s is the same conversation as its lower case", id)
		}
	}
}

func TestOnlyTheExactRoleIsAContact(t *testing.T) {
	f := func(body string, want bool) {
		t.Helper()
		if got := readOne(t, testReader, body, "").Contact; got != want {
			t.Errorf("%s: contact is %v, want %v", body, got, want)
		}
	}
	f(`{"role":"contact"}`, true)
	f(`{"r\u006fle":"con\u0074act"}`, true)
	f(`{"role":"bot"}`, false)
	f(`{"role":"Contact"}`, false)
	f(`{"role":"contacts"}`, false)
	f(`{"role":["contact"]}`, false)
	f(`{"Role":"contact"}`, false)
	f(`{"meta":{"role":"contact"}}`, false)
	f(`{}`, false)
}

func TestAnArrayIsItsMessagesInOrder(t *testing.T) {
	var batch Batch
	body := `[{"text":"a","conversation":"x","role":"contact"}, {"text":"b"} ,{"conversation":"x","text":"a","role":"contact"}]`
	if err := testReader.Read(&batch, []byte(body), nil); err != nil {
		t.Fatal(err)
	}
	m := batch.Messages
	if len(m) != 3 || m[0] != m[2] || m[0].Content == m[1].Content || m[1].Contact || m[1].Conversation == m[0].Conversation {
		t.Errorf("got %+v", m)
	}
	if err := testReader.Read(&batch, []byte(" [ ] "), nil); err != nil || len(batch.Messages) != 0 {
		t.Errorf("an empty array: %d messages, %v", len(batch.Messages), err)
	}
}

func TestABatchIsReusedWithoutTraces(t *testing.T) {
	var batch Batch
	want := readOne(t, testReader, typical, "")
	for _, other := range []string{`[{"text":"x","role":"contact"},{}]`, `{"conversation":"c1"}`, `{"a":[1,{"b":`, `{"a":1,"a":1}`, "\xff"} {
		_ = testReader.Read(&batch, []byte(other), []byte("c1"))
		_ = testReader.ReadEmbedded(&batch, []byte(`{"messages":[{},{"x":[`))
		if err := testReader.Read(&batch, []byte(typical), nil); err != nil || len(batch.Messages) != 1 || batch.Messages[0] != want {
			t.Errorf("after %s: %+v, %v", other, batch.Messages, err)
		}
		if batch.parser.in != nil || batch.parser.reader != nil {
			t.Error("the batch holds on to what it was given")
		}
	}
}

func TestShrinkLetsGoOfLargeBuffersOnly(t *testing.T) {
	var batch Batch
	read := func(body string) {
		t.Helper()
		if err := testReader.Read(&batch, []byte(body), nil); err != nil {
			t.Fatal(err)
		}
	}
	held := func() bool { return cap(batch.Messages) > 0 && batch.parser.out != nil && batch.parser.members != nil }
	read(typical)
	if batch.Shrink(); !held() || len(batch.Messages) != 0 {
		t.Error("small buffers are gone, or the messages aren't")
	}
	keys := new(strings.Builder)
	for i := range 3000 {
		keys.WriteString(`"` + strings.Repeat("k", i) + `":0,`)
	}
	read(`[` + strings.Repeat(`{},`, 5000) + `{` + keys.String() + `"last":0}]`)
	if batch.Shrink(); held() || batch.parser.sorted != nil {
		t.Error("large buffers are still there")
	}
}

func TestEmbeddedMessagesAreReadAsMessages(t *testing.T) {
	var batch Batch
	f := func(body string, want ...string) {
		t.Helper()
		if err := testReader.ReadEmbedded(&batch, []byte(body)); err != nil {
			t.Errorf("%s: %v", body, err)
			return
		}
		if len(batch.Messages) != len(want) {
			t.Errorf("%s: %d messages, want %d", body, len(batch.Messages), len(want))
			return
		}
		for i, m := range batch.Messages {
			if m.Content != readOne(t, testReader, want[i], "").Content || !m.Conversation.IsZero() {
				t.Errorf("%s: message %d is not %s to nowhere", body, i, want[i])
			}
		}
	}
	f(`{}`)
	f(`{"type":"contact","contact":{"profile":{"name":"Ada Demo"}}}`)
	f(`{"messages":null}`)
	f(`{"messages":[]}`)
	f(`{"meta":{"messages":7}}`)
	f(`{"Messages":7}`)
	f(`{"type":"contact","\u006dessages":[{"role":"agent","text":"Hello"},{"text":"/leave","delay":2000}],"meta":{}}`,
		`{"role":"agent","text":"Hello"}`, `{"text":"/leave"}`)
	f(`{"messages":[{"conversation":"elsewhere","text":"a"}]}`, `{"text":"a"}`)
}

func TestEmbeddedMessagesHaveTheSameFaults(t *testing.T) {
	var batch Batch
	f := func(body, want string) {
		t.Helper()
		if err := testReader.ReadEmbedded(&batch, []byte(body)); err == nil || err.Error() != want {
			t.Errorf("%.80s:\ngot  %v\nwant %s", body, err, want)
		}
	}
	f(`[]`, "expected a conversation, which is a JSON object, at byte 0")
	f(`7`, "expected a conversation, which is a JSON object, at byte 0")
	f(`{"messages":{}}`, "expected an array of messages at byte 12")
	f(`{"messages":"a"}`, "expected an array of messages at byte 12")
	f(`{"messages":nil}`, "unexpected character at byte 13")
	f(`{"messages":[7]}`, "expected a message, which is a JSON object, at byte 13")
	f(`{"messages":[{"conversation":7}]}`, "the conversation is no string at byte 29")
	f(`{"messages":[],"messages":[]}`, `duplicate key "messages" at byte 15`)
	f(`{"messages":[{"a":1,"a":1}]}`, `duplicate key "a" at byte 20`)
	f(`{"messages":[{}]`, "unexpected end at byte 16")
	f(`{"messages":[{"v":`+strings.Repeat("[", 30), "nested deeper than 32 levels at byte 47")
	f(`{}{}`, "unexpected character at byte 2")
}

func TestAnAnswerNamesItsConversation(t *testing.T) {
	f := func(answer, want string) {
		t.Helper()
		id, ok := ReadConversationID([]byte(answer))
		if !ok || string(id) != want {
			t.Errorf("%.80s: got %q, %v, want %q", answer, id, ok, want)
		}
		if got, ok := testReader.ConversationOf([]byte(answer)); !ok || got != testReader.Conversation([]byte(want)) {
			t.Errorf("%.80s: is not the conversation %s", answer, want)
		}
	}
	f(`{"id":"c1"}`, "c1")
	f(`{"ID":"x","messages":[{"id":"m"}],"\u0069d":"\u0063\u0031","meta":{"id":"y"}}`, "c1")
	f(`{"id":"first","id":"last"}`, "last")
	f(`{"id":"c1","a":1,"a":2,"raw":"`+"\xff"+`"}`, "c1")
	f(`{"id":"c1","deep":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`}`, "c1")
	f(`{"id":""}`, "")
}

func TestAnAnswerWithoutAnIDNamesNothing(t *testing.T) {
	f := func(answer string) {
		t.Helper()
		if id, ok := ReadConversationID([]byte(answer)); ok {
			t.Errorf("%.80s: got %q", answer, id)
		}
		if id, ok := testReader.ConversationOf([]byte(answer)); ok || !id.IsZero() {
			t.Errorf("%.80s: is a conversation", answer)
		}
	}
	f(``)
	f(`{}`)
	f(`{"id":7}`)
	f(`{"id":"c1","id":null}`)
	f(`[{"id":"c1"}]`)
	f(`"c1"`)
	f(`{"id":"c1"`)
	f(`{"id":"c1"}{}`)
	f(`{"id":"c1","deep":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`)
	f(`<html>`)
}
