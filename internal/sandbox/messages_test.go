package sandbox

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	thread  = "/v2/conversations/" + conversationID + "/messages"
	inDemo  = `"conversation":"` + conversationID + `"`
	nowhere = "65aa00112233445566770000"
)

// conversation is what an admin sees of one, with its messages.
func (w *world) conversation(id string) map[string]any {
	w.t.Helper()
	return w.as("admin").get("/v2/conversations/" + id + "?populate=messages").must(200).object()
}

// texts are the texts of a conversation's messages, in order.
func (w *world) texts(id string) string {
	w.t.Helper()
	var all []string
	for _, m := range w.conversation(id)["messages"].([]any) {
		all = append(all, m.(map[string]any)["text"].(string))
	}
	return strings.Join(all, " ")
}

func TestMessageAnswer(t *testing.T) {
	w := newWorldWith(t, Options{Now: func() time.Time { return time.Date(2025, 3, 1, 8, 0, 0, 0, time.UTC) }})
	r := w.as("bot").post(thread, `{"text":"Your order left the depot"}`).must(201)
	got := regexp.MustCompile(`"id":"[0-9a-f]{24}"`).ReplaceAllString(r.raw, `"id":"ID"`)
	equal(t, "answer", got, `{"id":"ID","organization":"`+organizationID+`","orgPath":"`+organizationID+`",`+inDemo+
		`,"type":"chat","role":"bot","contentType":"text/plain","text":"Your order left the depot","isBackchannel":false,`+
		`"user":"`+botID+`","meta":{},"createdAt":"2025-03-01T08:00:00.000Z","updatedAt":"2025-03-01T08:00:00.000Z"}`)
	equal(t, "as kept", w.as("bot").get("/v2/messages/"+r.id()).must(200).raw, r.raw)
}

func TestFourWaysToCreateMessages(t *testing.T) {
	w := newWorld(t)
	bot := w.as("bot")
	bot.post(thread, `{"text":"1"}`).must(201)
	equal(t, "an array answers an array", len(bot.post(thread, `[{"text":"2"},{"text":"3"}]`).must(201).list()), 2)
	bot.post("/v2/messages", `{`+inDemo+`,"text":"4"}`).must(201)
	equal(t, "also of one", len(bot.post("/v2/messages", `[{`+inDemo+`,"text":"5"}]`).must(201).list()), 1)
	bot.post("/v2/conversations", `{"contact":{"profile":{"email":"ada@consumer.example"}},"messages":[{"text":"6"},{"text":"7"}]}`).must(200)
	w.as("").post("/sandbox/say", `{"text":"8"}`).must(201)
	w.s.hookReplied(conversationID, []byte(`{"token":"`+w.s.Credential("bot").Token+`","messages":[{"text":"9"},{"text":""}]}`))
	equal(t, "all are there, in order", w.texts(conversationID), "1 2 3 4 5 6 7 8 9")

	st := w.s.Stats()
	equal(t, "messages", st.Messages, 9)
	equal(t, "of the conversation", st.MessagesByConversation, map[string]int{conversationID: 9})
}

func TestThePathNamesTheConversation(t *testing.T) {
	w := newWorld(t)
	m := w.as("bot").post(thread, `{"conversation":"`+nowhere+`","text":"x"}`).must(201).object()
	equal(t, "conversation", m["conversation"], conversationID)
}

func TestMessageRoleDependsOnTheAuthor(t *testing.T) {
	w := newWorld(t)
	f := func(who, body, role, user string) {
		t.Helper()
		m := w.as(who).post(thread, body).must(201).object()
		equal(t, "role", m["role"], role)
		equal(t, "user", m["user"], user)
	}
	f("bot", `{"text":"x"}`, "bot", botID)
	f("agent", `{"text":"x"}`, "agent", agentID)
	f("admin", `{"text":"x"}`, "agent", adminID)
	f("bot", `{"text":"x","role":"agent"}`, "agent", botID)
	f("bot", `{"text":"x","role":"contact"}`, "contact", botID)
	f("admin", `{"text":"x","user":"`+secondBotID+`"}`, "bot", secondBotID)
}

func TestInvalidMessages(t *testing.T) {
	w := newWorld(t)
	f := func(path, body string, status int) {
		t.Helper()
		w.as("bot").post(path, body).refused(status)
	}
	f(thread, `{}`, 422)
	f(thread, `{"text":""}`, 422)
	f(thread, `{"text":7}`, 422)
	f(thread, `{"text":null}`, 422)
	f(thread, `{"text":"x","type":"poem"}`, 422)
	f(thread, `{"text":"x","role":"king"}`, 422)
	f(thread, `{"text":"x","meta":[]}`, 422)
	f(thread, `{"text":"x","user":"`+nowhere+`"}`, 422)
	f(thread, `{"text":"x","delay":"long"}`, 422)
	f(thread, `{"text":"x","delay":-1}`, 422)
	f(thread, `[]`, 422)
	f(thread, `["x"]`, 422)
	f(thread, `"x"`, 422)
	f(thread, `{"text":"x"`, 400)
	f(thread, ``, 400)
	f(thread, `[{"text":"x"},{"text":""}]`, 422)
	f("/v2/messages", `{"text":"x"}`, 422)
	f("/v2/messages", `{"conversation":"`+nowhere+`","text":"x"}`, 404)
	f("/v2/messages", `[{`+inDemo+`,"text":"x"},{"text":"y"}]`, 422)
	f("/v2/conversations/"+nowhere+"/messages", `{"text":"x"}`, 404)
	equal(t, "an array is created whole or not at all", w.s.Stats().Messages, 0)
}

func TestMessagesWithoutText(t *testing.T) {
	w := newWorld(t)
	w.as("bot").post(thread, `{"items":[{"text":"a"}]}`).must(201)
	w.as("bot").post(thread, `{"actions":[{"type":"reply","payload":"yes"}]}`).must(201)
	w.as("bot").post(thread, `{"items":[]}`).refused(422)
}

func TestAllMessageTypes(t *testing.T) {
	w := newWorld(t)
	for _, kind := range messageTypes {
		m := w.as("bot").post(thread, `{"type":"`+kind+`","text":"x","meta":{"k":1},"delay":10,"touchpoint":"sms"}`).must(201).object()
		equal(t, "type", m["type"], kind)
		equal(t, "meta", m["meta"], map[string]any{"k": 1})
		equal(t, "touchpoint", m["touchpoint"], "sms")
	}
}

func TestSayIsTheConsumersVoice(t *testing.T) {
	w := newWorld(t)
	m := w.as("").post("/sandbox/say", `{"text":"Where is it?","meta":{"a":1},"role":"bot","user":"`+botID+`"}`).must(201).object()
	equal(t, "role", m["role"], "contact")
	equal(t, "contact", m["contact"], contactID)
	equal(t, "conversation", m["conversation"], conversationID)
	equal(t, "user", m["user"], nil)
	w.as("").post("/sandbox/say", `{"conversation":"`+nowhere+`","text":"x"}`).refused(404)
	w.as("").post("/sandbox/say", `{"text":""}`).refused(422)
	w.as("").get("/sandbox/say").refused(405)
	equal(t, "requests below /sandbox do not count", w.s.Requests(), 0)
}

func TestDeletingTakesWhatHangsOnIt(t *testing.T) {
	w := newWorld(t)
	admin := w.as("admin")
	first := admin.post(thread, `{"text":"a"}`).id()
	second := admin.post(thread, `{"text":"b"}`).id()
	admin.do("DELETE", "/v2/messages/"+first, "").must(204)
	equal(t, "left", w.texts(conversationID), "b")
	admin.do("DELETE", "/v2/conversations/"+conversationID, "").must(204)
	admin.get("/v2/messages/" + second).refused(404)
	admin.post("/v2/conversations", `{"contact":"`+contactID+`"}`).must(201)
}
