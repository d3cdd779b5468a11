package e2e

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"testing"
	"time"
)

const webhookSecret = "the-webhook-secret"

// event is a ChatShipper event about a message in a conversation.
func event(conversation, message string, at time.Time) string {
	return fmt.Sprintf(`{"id":"0b1c6f0e-3b0c-4c56-9a55-2f1f0d7f9a10","event":"message.create.contact.chat","timestamp":%q,`+
		`"organization":"65aa0011223344556677aaaa","activity":{"type":"Create"},`+
		`"data":{"conversation":{"id":%q,"type":"contact"},"message":{"id":"65aa0f00aabbccddeeff0012","conversation":%q,%s}}}`,
		at.UTC().Format("2006-01-02T15:04:05.000Z"), conversation, conversation, message)
}

// delivery is the event as ChatShipper posts it.
func delivery(body, secret string) call {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(body))
	return call{path: "/_gateway/webhook", body: body, header: map[string]string{"X-Hub-Signature": "sha1=" + hex.EncodeToString(mac.Sum(nil))}}
}

func startWebhookGateway(t *testing.T, upstream string) *gateway {
	t.Helper()
	return startGateway(t, upstream, setup{rest: noRequestLimits + "webhook: {secret: " + webhookSecret + "}\n"})
}

func TestAWebhookEventIsAReply(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startWebhookGateway(t, up.URL)
	bot := mint(botUser, botScope)
	contact := `"type":"chat","role":"contact","text":"Where is it?"`

	fill(t, g, bot, conversation(1))
	fill(t, g, bot, conversation(2))
	before := len(up.seen())
	a := g.do(t, delivery(event(conversation(1), contact, time.Now()), webhookSecret))
	if a.status < 200 || a.status > 299 {
		t.Fatalf("the event got %s", a)
	}
	if got := len(up.seen()); got != before {
		t.Error("the event was forwarded to the upstream")
	}
	wantFree(t, g, bot, conversation(1))
	wantBlocked(t, g, bot, conversation(2))
}

func TestAForgedEventResetsNothing(t *testing.T) {
	t.Parallel()
	g := startWebhookGateway(t, startStub(t, nil).URL)
	bot := mint(botUser, botScope)
	fill(t, g, bot, conversation(1))
	body := event(conversation(1), `"role":"contact","text":"free it"`, time.Now())
	unsigned := delivery(body, webhookSecret)
	unsigned.header = nil
	for name, c := range map[string]call{"another secret": delivery(body, "a guess"), "no signature": unsigned} {
		a := g.do(t, c)
		if a.status < 400 || a.status > 499 {
			t.Errorf("%s: got %s, want a refusal", name, a)
			continue
		}
		wantJSONError(t, a, a.status)
	}
	wantBlocked(t, g, bot, conversation(1))
}

func TestEventsMayComeLateTwiceAndOutOfOrder(t *testing.T) {
	t.Parallel()
	g := startWebhookGateway(t, startStub(t, nil).URL)
	bot := mint(botUser, botScope)
	started := time.Now().Add(-time.Second)
	fill(t, g, bot, conversation(1))
	contact := `"role":"contact","text":"earlier"`
	late := delivery(event(conversation(1), contact, started), webhookSecret)
	older := delivery(event(conversation(1), contact, started.Add(-50*time.Minute)), webhookSecret)
	for _, c := range []call{late, older, late, late} {
		if a := g.do(t, c); a.status > 299 {
			t.Errorf("a late event got %s", a)
		}
	}
	// What was written before the 20 messages clears none of them.
	wantBlocked(t, g, bot, conversation(1))

	now := delivery(event(conversation(1), contact, time.Now().Add(10*time.Millisecond)), webhookSecret)
	g.do(t, now)
	time.Sleep(30 * time.Millisecond)
	for _, message := range numbered(100, 20) {
		wantStatus(t, g.do(t, routes[1].send(bot, conversation(1), message)), 201)
	}
	g.do(t, now) // once more: it clears nothing that came after it
	g.do(t, late)
	wantBlocked(t, g, bot, conversation(1))
}

func TestEventsThatAreNoReply(t *testing.T) {
	t.Parallel()
	g := startWebhookGateway(t, startStub(t, nil).URL)
	bot := mint(botUser, botScope)
	fill(t, g, bot, conversation(1))
	for _, message := range []string{
		`"role":"bot","text":"mine","user":"` + botUser + `"`,
		`"role":"agent","text":"a bot in an agent's role","user":"` + botUser + `"`,
	} {
		if a := g.do(t, delivery(event(conversation(1), message, time.Now()), webhookSecret)); a.status > 299 {
			t.Errorf("the event got %s", a)
		}
	}
	wantBlocked(t, g, bot, conversation(1))
}

func TestTheSubscriptionHandshake(t *testing.T) {
	t.Parallel()
	g := startWebhookGateway(t, startStub(t, nil).URL)
	a := g.do(t, call{path: "/_gateway/webhook?type=subscribe&challenge=abc-123"})
	wantStatus(t, a, 200)
	if string(a.body) != "abc-123" {
		t.Errorf("the challenge came back as %q", a.body)
	}
	for _, path := range []string{"/_gateway/webhook", "/_gateway/webhook?type=other&challenge=x"} {
		if a := g.do(t, call{path: path}); a.status < 400 {
			t.Errorf("GET %s got %s", path, a)
		}
	}
}

func TestWebhooksAreOutsideTheRateLimits(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: "webhook: {secret: " + webhookSecret + "}\n"})
	for i := range 60 {
		a := g.do(t, delivery(event(conversation(i), `"role":"contact","text":"x"`, time.Now()), webhookSecret))
		if a.status > 299 {
			t.Fatalf("event %d got %s", i, a)
		}
	}
}

// The consumer writes past the gateway; the sandbox tells it by webhook.
func TestTheConsumersOwnWordsResetTheStreak(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startWebhookGateway(t, s.url())
	wantStatus(t, s.direct(t, call{path: "/v2/services", token: s.tokens["admin"], body: fmt.Sprintf(
		`{"name":"gateway","type":"webhook","params":{"url":"%s/_gateway/webhook","secret":%q}}`, g.url(), webhookSecret)}), 201)
	thread := s.newConversation(t, 1)
	bot := s.tokens["bot"]
	fill(t, g, bot, thread)
	wantStatus(t, s.direct(t, call{path: "/sandbox/say", body: fmt.Sprintf(`{"conversation":%q,"text":"Where is it?"}`, thread)}), 201)
	eventually(t, "the consumer's words have freed the bot", func() error {
		if a := g.do(t, routes[1].send(bot, thread, text("here it is"))); a.status != 201 {
			return fmt.Errorf("got %s", a)
		}
		return nil
	})
}
