package sandbox

import (
	"strings"
	"testing"
)

func TestStatsCountWhatArrived(t *testing.T) {
	w := newWorld(t)
	w.as("bot").post(thread, `[{"text":"a"},{"text":"b"}]`).must(201)
	w.as("bot").post(thread, `{}`).must(422)
	w.as("").post("/v2/messages", `{}`).must(401)
	w.as("bot").get("/v2/contacts/" + contactID).must(200)
	w.as("bot").get("/v9/x/y").must(404)
	w.as("bot").do("BREW", "/v2/contacts", "").must(405)
	got := w.as("").get("/sandbox/stats").must(200).object()
	equal(t, "requests", got["requests"], 6)
	equal(t, "routes", got["routes"], map[string]int{
		"POST /v2/conversations/{id}/messages": 2, "POST /v2/messages": 1, "GET /v2/contacts/{id}": 1,
		"GET other": 1, "other /v2/contacts": 1,
	})
	equal(t, "messages", got["messages"], 2)
	equal(t, "by conversation", got["messagesByConversation"], map[string]int{conversationID: 2})
}

func TestRequestsShowWhatAProxyMadeOfThem(t *testing.T) {
	w := newWorld(t)
	w.as("bot").do("GET", "/v2/x/../contacts?a=%2B&b=,;", "", "X-Forwarded-For", "192.0.2.7").must(200)
	q := w.as("").get("/sandbox/requests").must(200).list()[0]
	equal(t, "target", q["target"], "/v2/x/../contacts?a=%2B&b=,;")
	h := q["headers"].(map[string]any)
	equal(t, "header", h["X-Forwarded-For"], "192.0.2.7")
	equal(t, "no credential", h["Authorization"], "Bearer")
	for range kept {
		w.as("bot").get("/v2/contacts").must(200)
	}
	list := w.as("").get("/sandbox/requests").list()
	equal(t, "only the last ones", len(list), kept)
	equal(t, "target", list[0]["target"], "/v2/contacts")
}

func TestResetBringsBackTheFirstData(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	w.subscribe(r, onlyMessages)
	w.as("bot").post(thread, `{"text":"a"}`).must(201)
	r.next()
	w.as("admin").do("DELETE", "/v2/contacts/"+contactID, "").must(204)
	w.as("").post("/sandbox/faults", `{"status":500}`).must(201)
	w.as("").post("/sandbox/reset", "").must(204)
	equal(t, "stats", w.as("").get("/sandbox/stats").raw,
		`{"requests":0,"routes":{},"messages":0,"messagesByConversation":{},"webhooks":{"pending":0,"delivered":0,"retried":0,"failed":0}}`)
	w.as("bot").get("/v2/contacts/" + contactID).must(200)
	equal(t, "services", len(w.as("admin").get("/v2/services").list()), 0)
	equal(t, "messages", w.texts(conversationID), "")
}

func TestFirstPageSaysWhatThisIs(t *testing.T) {
	w := newWorld(t)
	r := w.as("").get("/").must(200)
	if !strings.Contains(r.raw, "sandbox") || !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") {
		t.Errorf("got %s", r.raw)
	}
}
