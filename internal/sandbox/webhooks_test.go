package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync/atomic"
	"testing"
	"time"
)

func TestWebhookVerification(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	admin := w.as("admin")
	o := w.subscribe(r, "").object()
	equal(t, "status", o["status"], "active")
	secret := o["params"].(map[string]any)["secret"].(string)
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(secret) {
		t.Errorf("a missing secret is generated, got %q", secret)
	}

	wrong := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.WriteString(w, q.URL.Query().Get("challenge")+"\n") // one byte too many
	}))
	defer wrong.Close()
	f := func(method, path, body string, status int) result {
		t.Helper()
		return admin.do(method, path, body).must(status)
	}
	f("POST", "/v2/services", `{"type":"webhook","params":{"url":"`+wrong.URL+`"}}`, 403)
	f("POST", "/v2/services", `{"type":"webhook","params":{"url":"http://127.0.0.1:1/"}}`, 403)
	f("POST", "/v2/services", `{"type":"webhook","params":{"url":"no url"}}`, 422)
	f("POST", "/v2/services", `{"type":"webhook"}`, 422)
	f("POST", "/v2/services", `{"name":"x"}`, 422)
	equal(t, "a refused webhook does not come to be", len(admin.get("/v2/services").list()), 1)

	later := f("POST", "/v2/services", `{"type":"webhook","status":"unverified","params":{"url":"`+wrong.URL+`"}}`, 201)
	path := "/v2/services/" + later.id()
	equal(t, "not asked yet", later.object()["status"], "unverified")
	f("PATCH", path, `{"status":"active"}`, 403)
	equal(t, "still", f("GET", path, "", 200).object()["status"], "unverified")
	o = f("PATCH", path, `{"params":{"url":"`+r.url+`"}}`, 200).object()
	equal(t, "a new URL is verified", o["status"], "active")
	f("PATCH", path, `{"params":{"url":"`+wrong.URL+`"}}`, 403)
	equal(t, "a name needs no challenge", f("PATCH", path, `{"name":"y"}`, 200).object()["status"], "active")
	equal(t, "switched off", f("PATCH", path, `{"status":"inactive"}`, 200).object()["status"], "inactive")
}

func TestWebhookDelivery(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	w.subscribe(r, onlyMessages)
	m := w.as("").post("/sandbox/say", `{"text":"Where is it?"}`).must(201).object()
	d, body := r.next()
	equal(t, "X-Hub-Signature", d.signature, signature("s3cret", []byte(d.raw)))
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(body["id"].(string)) {
		t.Errorf("the id must be a UUID, got %s", body["id"])
	}
	equal(t, "event", body["event"], "message.create.contact.chat")
	equal(t, "timestamp", body["timestamp"], m["createdAt"])
	equal(t, "organization", body["organization"], organizationID)
	a := body["activity"].(map[string]any)
	equal(t, "activity", []any{a["@context"], a["type"], a["summary"]},
		[]any{"https://www.w3.org/ns/activitystreams", "Create", "Ada Demo sent a chat message"})
	data := body["data"].(map[string]any)
	equal(t, "message", data["message"], m)
	c := data["conversation"].(map[string]any)
	equal(t, "conversation", []any{c["id"], c["type"], c["organization"]}, []any{conversationID, "contact", organizationID})
	if c["participants"] == nil || c["meta"] == nil || data["links"] == nil {
		t.Errorf("participants, meta or links are missing: %s", d.raw)
	}
}

func TestWebhookSignatureVector(t *testing.T) {
	// printf body | openssl dgst -sha1 -hmac key
	equal(t, "signature", signature("key", []byte("body")), "sha1=70bbf6819d1037aa94ca7e7f537cbea25fe49283")
}

func TestWebhookEvents(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	w.subscribe(r, "")
	admin := w.as("admin")
	equal(t, "itself", r.events(1), "service.create")
	id := admin.post("/v2/contacts", `{"name":"x"}`).id()
	admin.patch("/v2/contacts/"+id, `{"name":"y"}`).must(200)
	admin.do("DELETE", "/v2/contacts/"+id, "").must(204)
	equal(t, "a resource", r.events(3), "contact.create contact.update contact.delete")

	m := admin.post("/v2/conversations", `{"type":"agent","messages":[{"text":"x","type":"tag"}]}`).must(201)
	equal(t, "a conversation", r.events(3), "conversation.create message.create.agent.tag conversation.update")
	path := "/v2/messages/" + m.object()["messages"].([]any)[0].(string)
	admin.patch(path, `{"text":"y"}`).must(200)
	admin.do("DELETE", path, "").must(204)
	equal(t, "a message", r.events(2), "message.update message.delete")

	w.as("").post("/v2/auth/token", `{"email":"alex@demo.example","password":"sandbox"}`).must(201)
	equal(t, "log-in", r.events(1), "user.login")
}

func TestWebhookFiltersEvents(t *testing.T) {
	w := newWorld(t)
	exact, prefix, star, below := newReceiver(t), newReceiver(t), newReceiver(t), newReceiver(t)
	org := w.as("admin").post("/v2/organizations", `{}`).must(201).id()
	w.subscribe(exact, `,"events":["message.create.contact.command"]`)
	w.subscribe(prefix, `,"events":["contact","message.create"]`)
	w.subscribe(star, `,"events":["conversation.*"]`)
	w.as("admin").post("/v2/services", `{"type":"webhook","organization":"`+org+`","params":{"url":"`+below.url+`","events":["message","contact"]}}`).must(201)

	w.as("bot").post(thread, `[{"text":"x"},{"type":"command","text":"/set a b"}]`).must(201)
	w.as("bot").post("/v2/contacts", `{"organization":"`+org+`"}`).must(201)
	equal(t, "exact", exact.events(1), "message.create.contact.command")
	equal(t, "prefix", prefix.events(3), "message.create.contact.chat message.create.contact.command contact.create")
	equal(t, "star", star.events(1), "conversation.update")
	equal(t, "only its own organization", below.events(1), "contact.create")
}

func TestWebhookIsRetried(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	var tries atomic.Int32
	r.answers(func(w http.ResponseWriter) {
		if tries.Add(1) <= 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	w.subscribe(r, onlyMessages)
	start := time.Now()
	w.as("").post("/sandbox/say", `{"text":"x"}`).must(201)
	first, _ := r.next()
	for range 3 {
		again, _ := r.next()
		equal(t, "the same delivery", again, first)
	}
	if took := time.Since(start); took < (5+10+20)*time.Millisecond {
		t.Errorf("the pauses must grow, but all was over after %v", took)
	}
	w.settled(`{"pending":0,"delivered":1,"retried":3,"failed":0}`)
}

// settled waits until nothing is left to deliver and checks the counters.
func (w *world) settled(want string) {
	w.t.Helper()
	w.s.hooks.workers.Wait()
	if got := string(appendJSON(nil, w.s.hooks.counts())); got != want {
		w.t.Errorf("deliveries: got %s, want %s", got, want)
	}
}

func TestWebhookGivesUpWhereTryingAgainCannotHelp(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	r.answers(func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) })
	w.subscribe(r, onlyMessages)
	w.as("").post("/sandbox/say", `{"text":"x"}`).must(201)
	r.next()
	w.settled(`{"pending":0,"delivered":0,"retried":0,"failed":1}`)
}

func TestWebhookAnswersWithMessages(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	token := w.s.Credential("bot").Token
	answer := fmt.Sprintf(`{"token":%q,"messages":[{"text":"One moment"},{"text":""},{"type":"command","text":"/set seen yes"}]}`, token)
	r.answers(func(w http.ResponseWriter) { _, _ = io.WriteString(w, answer) })
	w.subscribe(r, `,"events":["message.create.contact.postback"]`)
	w.as("").post("/sandbox/say", `{"type":"postback","text":"help"}`).must(201)
	r.next()
	w.settled(`{"pending":0,"delivered":1,"retried":0,"failed":0}`)
	equal(t, "messages", w.texts(conversationID), "help One moment /set seen yes")
	equal(t, "their author", seat(w.conversation(conversationID), botID)["user"], botID)
	equal(t, "the command", w.conversation(conversationID)["meta"], map[string]any{"seen": "yes"})

	f := func(reply string) {
		t.Helper()
		w.s.hookReplied(conversationID, []byte(reply))
		equal(t, "nothing was posted", w.s.Stats().Messages, 3)
	}
	f("")
	f("OK")
	f(`{"messages":[{"text":"x"}]}`)
	f(`{"token":"bad","messages":[{"text":"x"}]}`)
	f(`{"token":"` + token + `","messages":[]}`)
	f(`{"token":"` + token + `","messages":[{"text":"x","type":"poem"}]}`)
}

func TestWebhookSwitchTwice(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	w.subscribe(r, onlyMessages)
	w.as("").post("/sandbox/webhooks", `{"twice":true}`).must(200)
	w.as("").post("/sandbox/say", `{"text":"x"}`).must(201)
	a, _ := r.next()
	b, _ := r.next()
	equal(t, "the same delivery", a, b)
}

func TestWebhookSwitchShuffle(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	w.subscribe(r, onlyMessages)
	w.as("").post("/sandbox/webhooks", `{"shuffle":true}`).must(200)
	w.as("bot").post(thread, `[{"text":"1"},{"text":"2"},{"text":"3"}]`).must(201)
	order := ""
	for range 3 {
		_, body := r.next()
		order += body["data"].(map[string]any)["message"].(map[string]any)["text"].(string)
	}
	equal(t, "order", order, "321")
}

func TestWebhookSwitchDelay(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	w.subscribe(r, onlyMessages)
	got := w.as("").post("/sandbox/webhooks", `{"delay":"100ms"}`).must(200).object()
	equal(t, "switches", []any{got["delay"], got["twice"], got["shuffle"]}, []any{"100ms", false, false})
	start := time.Now()
	w.as("").post("/sandbox/say", `{"text":"x"}`).must(201)
	r.next()
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("delivered after %v", took)
	}
	w.as("").do("DELETE", "/sandbox/webhooks", "").must(204)
	equal(t, "off", w.as("").get("/sandbox/webhooks").object()["delay"], "0s")

	w.as("").post("/sandbox/webhooks", `{"delay":5}`).refused(400)
	w.as("").post("/sandbox/webhooks", `{"twice":"yes"}`).refused(400)
	w.as("").post("/sandbox/webhooks", `{"thrice":true}`).refused(400)
}

func TestCloseEndsTheDeliveries(t *testing.T) {
	w, r := newWorldWith(t, Options{WebhookRetry: time.Hour}), newReceiver(t)
	r.answers(func(w http.ResponseWriter) { w.WriteHeader(500) })
	w.subscribe(r, onlyMessages)
	w.as("").post("/sandbox/say", `{"text":"x"}`).must(201)
	r.next()
	w.as("").post("/sandbox/webhooks", `{"delay":"1h"}`).must(200)
	w.as("").post("/sandbox/say", `{"text":"y"}`).must(201)
	w.s.Close()
	w.as("").post("/sandbox/say", `{"text":"z"}`).must(201)
}
