package proxy

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const nested = "/v2/conversations/" + conversation + "/messages"

func (g *running) post(t *testing.T, path, token, body string) answer {
	t.Helper()
	return g.do(t, request{method: "POST", path: path, token: token, body: body})
}

// ChatShipper's documentation shows two loops that bots must not run into.

func TestDocumentedIdenticalLoop(t *testing.T) {
	for _, path := range []string{"/v2/messages", nested} {
		r := newRecorder(t, ok)
		g := start(t, r, unlimited)
		for range 8 {
			g.post(t, path, botToken, chat("I did not understand that")).is(t, 201, "")
		}
		a := g.post(t, path, botToken, chat("I did not understand that"))
		a.is(t, 429, "identical_messages")
		if got := a.Header.Get("RateLimit-Policy"); got != `"identical";q=8;w=180` {
			t.Errorf("RateLimit-Policy %q", got)
		}
		if got := a.Header.Get("Retry-After"); got != "180" {
			t.Errorf("Retry-After %q, want 180", got)
		}
		if n := r.requests(); n != 8 {
			t.Errorf("%s: the upstream saw %d messages, want 8", path, n)
		}
	}
}

func TestDocumentedCommandLoop(t *testing.T) {
	for _, path := range []string{"/v2/messages", nested} {
		r := newRecorder(t, ok)
		g := start(t, r, unlimited)
		set := func(i int) string {
			return fmt.Sprintf(`{"conversation":%q,"type":"command","text":"/set counter %d"}`, conversation, i)
		}
		for i := range 20 {
			g.post(t, path, botToken, set(i)).is(t, 201, "")
		}
		a := g.post(t, path, botToken, set(20))
		a.is(t, 429, "consecutive_messages")
		if got := a.Header.Get("Retry-After"); got != "3600" && got != "3599" {
			t.Errorf("Retry-After %q, want 3600", got)
		}
		if n := g.metric(t, "gateway_loopguard_detections_total rule=consecutive"); n != 1 {
			t.Errorf("%v loops detected, want 1", n)
		}
	}
}

// exhaust lets a bot send its 20 messages.
func (g *running) exhaust(t *testing.T, token string) {
	t.Helper()
	for i := range 20 {
		g.post(t, nested, token, chat(fmt.Sprint("message ", i))).is(t, 201, "")
	}
	g.post(t, nested, token, chat("one more")).is(t, 429, "consecutive_messages")
}

func TestReplyOfAnAgentResetsTheStreak(t *testing.T) {
	for _, token := range []string{agentToken, adminToken} {
		g := start(t, newRecorder(t, ok), unlimited)
		g.exhaust(t, botToken)
		g.post(t, "/v2/messages", token, chat("I take over")).is(t, 201, "")
		g.post(t, nested, botToken, chat("thank you")).is(t, 201, "")
		if n := g.metric(t, "gateway_loopguard_resets_total source=agent"); n != 1 {
			t.Errorf("%v resets counted, want 1", n)
		}
	}
}

func TestAnotherBotsMessageIsNoReply(t *testing.T) {
	g := start(t, newRecorder(t, ok), unlimited)
	g.exhaust(t, botToken)
	g.post(t, nested, otherBot, chat("hello")).is(t, 201, "")
	g.post(t, nested, otherBot, `{"role":"agent","text":"hello"}`).is(t, 201, "")
	g.post(t, nested, botToken, chat("again")).is(t, 429, "consecutive_messages")
}

func TestAConsumersWordsCarriedByAnotherBotAreAReply(t *testing.T) {
	g := start(t, newRecorder(t, ok), unlimited)
	g.exhaust(t, botToken)
	g.post(t, nested, otherBot, `{"role":"contact","text":"where is it?"}`).is(t, 201, "")
	g.post(t, nested, botToken, chat("on its way")).is(t, 201, "")
}

func TestABotNeverResetsItself(t *testing.T) {
	g := start(t, newRecorder(t, ok), unlimited)
	for i := range 20 {
		role := []string{"contact", "agent", "bot"}[i%3]
		g.post(t, nested, botToken, fmt.Sprintf(`{"role":%q,"text":"%d"}`, role, i)).is(t, 201, "")
	}
	g.post(t, nested, botToken, `{"role":"contact","text":"x"}`).is(t, 429, "consecutive_messages")
	second := jwt("65aa001122334455667700c1", botScope, "2")
	g.post(t, nested, second, `{"role":"contact","text":"x"}`).is(t, 429, "consecutive_messages")
}

func TestOnlyCreatedMessagesCount(t *testing.T) {
	var status atomic.Value
	status.Store("422 Unprocessable Entity")
	r := newRecorder(t, func(_, _ string) string {
		return "HTTP/1.1 " + status.Load().(string) + "\r\nContent-Length: 15\r\n\r\n" + `{"message":"x"}`
	})
	g := start(t, r, unlimited)
	for range 30 {
		if a := g.post(t, nested, botToken, chat("same")); a.StatusCode != 422 {
			t.Fatalf("got %d %s", a.StatusCode, a.body)
		}
	}
	status.Store("201 Created")
	for range 8 {
		g.post(t, nested, botToken, chat("same")).is(t, 201, "")
	}
	g.post(t, nested, botToken, chat("same")).is(t, 429, "identical_messages")
}

func TestAnArrayCountsOneByOneAndIsRefusedWhole(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	array := func(n int) string { return "[" + strings.Repeat(`{"text":"a"},`, n-1) + `{"text":"a"}]` }
	g.post(t, nested, botToken, array(5)).is(t, 201, "")
	g.post(t, nested, botToken, array(4)).is(t, 429, "identical_messages")
	g.post(t, nested, botToken, array(3)).is(t, 201, "")
	g.post(t, nested, botToken, array(1)).is(t, 429, "identical_messages")
	if n := r.requests(); n != 2 {
		t.Errorf("the upstream saw %d requests, want 2", n)
	}
}

func TestConcurrentMessagesCannotOvershoot(t *testing.T) {
	for _, c := range []struct {
		same bool
		want int
	}{{true, 8}, {false, 20}} {
		r := newRecorder(t, ok)
		g := start(t, r, unlimited)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				text := "same"
				if !c.same {
					text = fmt.Sprint(i)
				}
				g.post(t, nested, botToken, chat(text))
			})
		}
		wg.Wait()
		if n := r.requests(); n != c.want {
			t.Errorf("same %v: the upstream saw %d messages, want %d", c.same, n, c.want)
		}
	}
}

func TestAForgedTokenNeitherSpendsNorResets(t *testing.T) {
	forged := jwt("65aa001122334455667700c1", botScope, "forged")
	forgedAgent := jwt("65aa001122334455667700b1", agentScope, "forged")
	r := newRecorder(t, func(head, body string) string {
		if strings.Contains(head, forged) || strings.Contains(head, forgedAgent) {
			return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 31\r\n\r\n" + `{"message":"invalid signature"}`
		}
		return ok(head, body)
	})
	g := start(t, r, unlimited)
	for range 40 {
		if a := g.post(t, nested, forged, chat("same")); a.StatusCode != 401 {
			t.Fatalf("got %d", a.StatusCode)
		}
	}
	g.exhaust(t, botToken)
	if a := g.post(t, nested, forgedAgent, chat("reset")); a.StatusCode != 401 {
		t.Fatalf("got %d", a.StatusCode)
	}
	g.post(t, nested, botToken, chat("again")).is(t, 429, "consecutive_messages")
}

func TestMessagesForAnExistingContactCountInItsConversation(t *testing.T) {
	r := newRecorder(t, func(head, body string) string {
		if strings.HasPrefix(head, "POST /v2/conversations HTTP") {
			return "HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n" + `{"id":"65aa0e00aabbccddeeff0001"}`
		}
		return ok(head, body)
	})
	g := start(t, r, unlimited)
	embedded := `{"contact":{"profile":{"name":"Ada"}},"messages":[` + strings.Repeat(`{"text":"a","role":"agent"},`, 7) + `{"text":"a","role":"agent"}]}`
	g.post(t, "/v2/conversations", botToken, embedded).is(t, 200, "")
	g.post(t, nested, botToken, `{"text":"a","role":"agent"}`).is(t, 429, "identical_messages")
	g.post(t, nested, botToken, `{"text":"b"}`).is(t, 201, "")
}

func TestMessagesOfANewConversationDoNotCount(t *testing.T) {
	r := newRecorder(t, func(_, _ string) string {
		return "HTTP/1.1 201 Created\r\nContent-Length: 33\r\n\r\n" + `{"id":"65aa0e00aabbccddeeff0001"}`
	})
	g := start(t, r, unlimited)
	g.post(t, "/v2/conversations", botToken, `{"messages":[`+strings.Repeat(`{"text":"a"},`, 24)+`{"text":"a"}]}`).is(t, 201, "")
	g.post(t, nested, botToken, `{"text":"a"}`).is(t, 201, "")
}

func TestWhatCannotBeInspectedIsNotForwarded(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, func(c *Config) { unlimited(c); c.LoopGuard.MaxBodyBytes = 4096 })
	send := func(body, contentType, encoding string, status int, code string) {
		t.Helper()
		header := map[string]string{"Content-Type": contentType}
		if encoding != "" {
			header["Content-Encoding"] = encoding
		}
		g.do(t, request{method: "POST", path: nested, token: botToken, body: body, header: header}).is(t, status, code)
	}
	const js = "application/json"
	send(`{"text":"a"`, js, "", 400, "invalid_request")
	send(`{"text":"a"}x`, js, "", 400, "invalid_request")
	send(`{"text":"a","text":"b"}`, js, "", 400, "invalid_request")
	send(`{"text":"a","te\u0078t":"b"}`, js, "", 400, "invalid_request")
	send(`"text"`, js, "", 400, "invalid_request")
	send(`[{"text":"a"},1]`, js, "", 400, "invalid_request")
	send(`{"conversation":"other","text":"a"}`, js, "", 400, "invalid_request")
	send(`{"text":"a"}`, js, "gzip", 415, "unsupported_encoding")
	send(`{"text":"a"}`, js+"; charset=utf-16", "", 415, "unsupported_encoding")
	send(`text=a`, "application/x-www-form-urlencoded", "", 415, "unsupported_encoding")
	send(`text=a`, "multipart/form-data; boundary=x", "", 415, "unsupported_encoding")
	send(`{"text":"`+strings.Repeat("a", 4096)+`"}`, js, "", 413, "payload_too_large")
	if n := r.requests(); n != 0 {
		t.Errorf("the upstream saw %d requests, want none", n)
	}
	send(`{"text":"a"}`, js+"; charset=UTF-8", "identity", 201, "")
	for reason, want := range map[string]float64{"content_encoding": 1, "content_type": 3, "invalid_json": 7, "too_large": 1} {
		if n := g.metric(t, "gateway_loopguard_uninspected_total reason="+reason); n != want {
			t.Errorf("%s: counted %v, want %v", reason, n, want)
		}
	}
}

func TestAnEmptyArrayIsNoMessage(t *testing.T) {
	r := newRecorder(t, ok)
	g := start(t, r, unlimited)
	for range 30 {
		g.post(t, nested, botToken, `[]`).is(t, 201, "")
	}
	if n := g.metric(t, "gateway_panics_total"); n != 0 {
		t.Errorf("%v panics", n)
	}
}
