package sandbox

import (
	"fmt"
	"sync"
	"testing"
)

// TestManyAtOnce is for the race detector: everything that changes or reads
// the store, at the same time.
func TestManyAtOnce(t *testing.T) {
	w, r := newWorld(t), newReceiver(t)
	r.got = make(chan delivered, 10_000)
	w.subscribe(r, "")
	const rounds = 20
	var all sync.WaitGroup
	for _, f := range []func(i int){
		func(int) { w.as("bot").post(thread, `[{"text":"a"},{"type":"command","text":"/set a b"}]`).must(201) },
		func(int) { w.as("agent").post("/v2/messages", `{`+inDemo+`,"text":"b"}`).must(201) },
		func(int) { w.as("").post("/sandbox/say", `{"text":"c"}`).must(201) },
		func(i int) {
			w.as("bot").post("/v2/conversations", fmt.Sprintf(`{"contact":{"profile":{"telephone":"+31%d"}},"messages":[{"text":"d"}]}`, i)).must(201)
		},
		func(int) {
			w.as("bot").get("/v2/conversations?populate=messages.user,contact&sort=-updatedAt").must(200)
		},
		func(int) { w.as("bot").get("/v2/messages?organization=" + organizationID + "&select=text").must(200) },
		func(i int) {
			id := w.as("bot").post("/v2/contacts", `{}`).must(201).id()
			w.as("bot").patch("/v2/contacts/"+id, fmt.Sprintf(`{"n":%d}`, i)).must(200)
			w.as("bot").do("DELETE", "/v2/contacts/"+id, "").must(204)
		},
		func(int) {
			w.as("").post("/v2/auth/token", `{"email":"alex@demo.example","password":"sandbox"}`).must(201)
		},
		func(int) { w.as("").get("/sandbox/requests").must(200) },
		func(int) { w.as("").post("/sandbox/webhooks", `{"twice":true}`).must(200) },
	} {
		all.Go(func() {
			for i := range rounds {
				f(i)
			}
		})
	}
	all.Wait()
	w.s.hooks.workers.Wait()
	equal(t, "messages", w.s.Stats().MessagesByConversation[conversationID], 4*rounds)
	equal(t, "of new conversations", w.s.Stats().Messages, 5*rounds)
}
