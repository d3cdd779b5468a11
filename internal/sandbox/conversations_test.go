package sandbox

import "testing"

func TestNewConversationAnswers201(t *testing.T) {
	w := newWorld(t)
	o := w.as("bot").post("/v2/conversations", `{"type":"contact","contact":{"profile":{"name":"Eve","telephone":"+31979"}},
		"messages":[{"text":"a"},{"text":"b"}],"meta":{"k":"v"},"name":"Case 7","extra":1}`).must(201).object()
	equal(t, "messages are ids", len(o["messages"].([]any)), 2)
	equal(t, "meta", o["meta"], map[string]any{"k": "v"})
	equal(t, "name", o["name"], "Case 7")
	equal(t, "status", o["status"], "queued")
	equal(t, "extra", o["extra"], 1)
	p := o["participants"].([]any)
	equal(t, "the creator comes first", p[0].(map[string]any)["user"], botID)
	equal(t, "and is alone", len(p), 1)
	equal(t, "in order", w.texts(o["id"].(string)), "a b")
	contact := w.as("bot").get("/v2/contacts/" + o["contact"].(string)).must(200).object()
	equal(t, "contact", contact["profile"], map[string]any{"name": "Eve", "telephone": "+31979"})
}

func TestExistingContactIsAnUpsert(t *testing.T) {
	w := newWorld(t)
	f := func(body string) {
		t.Helper()
		r := w.as("bot").post("/v2/conversations", body).must(200)
		equal(t, "conversation", r.id(), conversationID)
	}
	f(`{"contact":{"profile":{"email":"ADA@consumer.example","city":"Delft"}},"messages":[{"text":"a"}],"meta":{"k":"v"}}`)
	f(`{"type":"contact","contact":{"profile":{"telephone":"+3197000000001"}},"messages":[{"text":"b"}]}`)
	f(`{"contact":"` + contactID + `","messages":[{"text":"c"}]}`)
	f(`{"contact":{"profile":{"email":"ada@consumer.example"}}}`)
	equal(t, "the messages are in the existing conversation", w.texts(conversationID), "a b c")
	equal(t, "meta", w.conversation(conversationID)["meta"], map[string]any{"k": "v"})
	profile := w.as("bot").get("/v2/contacts/" + contactID).object()["profile"].(map[string]any)
	equal(t, "the profile is brought up to date", profile["city"], "Delft")
	equal(t, "and keeps the rest", profile["name"], "Ada Demo")
	equal(t, "contacts", len(w.as("bot").get("/v2/contacts").list()), 1)
}

func TestContactIsFoundByItsChangedProfile(t *testing.T) {
	w := newWorld(t)
	w.as("bot").patch("/v2/contacts/"+contactID, `{"profile":{"email":"new@consumer.example"}}`).must(200)
	w.as("bot").post("/v2/conversations", `{"contact":{"profile":{"email":"new@consumer.example"}}}`).must(200)
	w.as("bot").post("/v2/conversations", `{"contact":{"profile":{"email":"ada@consumer.example"}}}`).must(201)
}

func TestSameConsumerInAnotherOrganization(t *testing.T) {
	w := newWorld(t)
	org := w.as("admin").post("/v2/organizations", `{"name":"Demo North"}`).must(201).id()
	o := w.as("bot").post("/v2/conversations", `{"organization":"`+org+`","contact":{"profile":{"email":"ada@consumer.example"}},"messages":[{"text":"x"}]}`).must(201).object()
	equal(t, "orgPath", o["orgPath"], organizationID+"#"+org)
	m := w.as("bot").get("/v2/messages?organization=" + org).list()
	equal(t, "its message", m[0]["orgPath"], organizationID+"#"+org)
}

func TestTeamConversationsHaveNoContact(t *testing.T) {
	w := newWorld(t)
	for _, kind := range []string{"agent", "bot", "system"} {
		o := w.as("bot").post("/v2/conversations", `{"type":"`+kind+`","messages":[{"text":"x"}]}`).must(201).object()
		equal(t, "contact", o["contact"], nil)
		equal(t, "status", o["status"], "active")
	}
}

func TestInvalidConversations(t *testing.T) {
	w := newWorld(t)
	f := func(body string, status int) {
		t.Helper()
		w.as("bot").post("/v2/conversations", body).refused(status)
	}
	f(`{}`, 422)
	f(`[]`, 422)
	f(`{"type":"party"}`, 422)
	f(`{"type":"contact"}`, 422)
	f(`{"contact":{}}`, 422)
	f(`{"contact":{"profile":{"name":"Eve"}}}`, 422)
	f(`{"contact":"`+nowhere+`"}`, 404)
	f(`{"type":"agent","meta":[]}`, 422)
	f(`{"type":"agent","messages":{}}`, 422)
	f(`{"type":"agent","messages":[{"text":""}]}`, 422)
	f(`{"type":"agent","organization":"`+nowhere+`"}`, 422)
	equal(t, "nothing came to be", len(w.as("bot").get("/v2/conversations").list()), 1)
}

func TestOutboundExample(t *testing.T) {
	w := newWorld(t)
	o := w.as("bot").post("/v2/conversations", `{"organization":"`+organizationID+`","type":"contact",
		"contact":{"profile":{"name":"Eve","telephone":"+31979"}},
		"messages":[{"role":"agent","touchpoint":"sms","text":"Hello Eve"}]}`).must(201).object()
	p := o["participants"].([]any)[0].(map[string]any)
	equal(t, "a first message of an agent accepts", []any{o["status"], p["active"], p["accepted"]}, []any{"active", true, true})
	w.as("bot").post("/v2/conversations/"+o["id"].(string)+"/messages", `{"type":"command","text":"/leave","delay":2000}`).must(201)
	equal(t, "the last one out closes", w.conversation(o["id"].(string))["status"], "closed")
}

func TestConversationKeepsItsMessagesThroughAnUpdate(t *testing.T) {
	w := newWorld(t)
	w.as("bot").post(thread, `{"text":"a"}`).must(201)
	o := w.as("bot").patch("/v2/conversations/"+conversationID, `{"messages":[],"meta":{"x":{"y":1}},"category":"sales"}`).must(200).object()
	equal(t, "messages", len(o["messages"].([]any)), 1)
	equal(t, "meta", o["meta"], map[string]any{"x": map[string]any{"y": 1}})
	equal(t, "search by meta", len(w.as("bot").get("/v2/conversations?meta.x.y=1&category=sales").list()), 1)
}
