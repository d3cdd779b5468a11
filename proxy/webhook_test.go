package proxy

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/identity"
)

const webhookSecret = "webhook secret"

func withWebhook(cfg *Config) {
	unlimited(cfg)
	cfg.Webhook.Secret = webhookSecret
	cfg.Identity.Users = []identity.User{{ID: "65aa001122334455667700b1", Role: "human"}}
}

func event1(at time.Time, role, user string) string {
	return fmt.Sprintf(`{"id":"0b1c6f0e-3b0c-4c56-9a55-2f1f0d7f9a10","event":"message.create.contact.chat","timestamp":%q,
		"activity":{"type":"Create"},"data":{"conversation":{"id":%q},"message":{"conversation":%q,"role":%q,"user":%q,"text":"x"}}}`,
		at.UTC().Format(time.RFC3339Nano), conversation, conversation, role, user)
}

func (g *running) deliver(t *testing.T, body, secret string) answer {
	t.Helper()
	mac := hmac.New(sha1.New, []byte(secret))
	_, _ = mac.Write([]byte(body))
	return g.do(t, request{method: "POST", path: "/_gateway/webhook", body: body, header: map[string]string{
		"X-Hub-Signature": "sha1=" + hex.EncodeToString(mac.Sum(nil)),
	}})
}

func TestWebhookHandshake(t *testing.T) {
	g := start(t, newRecorder(t, ok), withWebhook)
	a := g.do(t, request{method: "GET", path: "/_gateway/webhook?type=subscribe&challenge=abc123"})
	if a.StatusCode != 200 || a.body != "abc123" {
		t.Errorf("got %d %q", a.StatusCode, a.body)
	}
	g.do(t, request{method: "GET", path: "/_gateway/webhook"}).is(t, 400, "invalid_request")
}

func TestConsumersReplyElsewhereResetsTheStreak(t *testing.T) {
	g := start(t, newRecorder(t, ok), withWebhook)
	g.exhaust(t, botToken)
	g.deliver(t, event1(time.Now(), "contact", ""), webhookSecret).is(t, 200, "")
	g.post(t, nested, botToken, chat("thank you")).is(t, 201, "")
	if n := g.metric(t, "gateway_loopguard_resets_total source=webhook"); n != 1 {
		t.Errorf("%v resets counted, want 1", n)
	}
}

func TestAnAgentsReplyElsewhereResetsTheStreak(t *testing.T) {
	g := start(t, newRecorder(t, ok), withWebhook)
	g.exhaust(t, botToken)
	g.deliver(t, event1(time.Now(), "agent", "65aa001122334455667700b1"), webhookSecret)
	g.post(t, nested, botToken, chat("thank you")).is(t, 201, "")
}

func TestBotsOwnEventsResetNothing(t *testing.T) {
	g := start(t, newRecorder(t, ok), withWebhook)
	g.exhaust(t, botToken)
	g.deliver(t, event1(time.Now(), "agent", "65aa001122334455667700c1"), webhookSecret)
	g.deliver(t, event1(time.Now(), "contact", "65aa001122334455667700c1"), webhookSecret)
	g.deliver(t, event1(time.Now(), "bot", "65aa001122334455667700c2"), webhookSecret)
	g.post(t, nested, botToken, chat("again")).is(t, 429, "consecutive_messages")
}

func TestLateAndRepeatedEventsClearNothingNewer(t *testing.T) {
	g := start(t, newRecorder(t, ok), withWebhook)
	before := time.Now()
	g.exhaust(t, botToken)
	for range 3 {
		g.deliver(t, event1(before, "contact", ""), webhookSecret)
		g.deliver(t, event1(before.Add(-time.Hour), "contact", ""), webhookSecret)
	}
	g.post(t, nested, botToken, chat("again")).is(t, 429, "consecutive_messages")
}

func TestAWrongSignatureChangesNothing(t *testing.T) {
	g := start(t, newRecorder(t, ok), withWebhook)
	g.exhaust(t, botToken)
	g.deliver(t, event1(time.Now(), "contact", ""), "another secret").is(t, 401, "unauthenticated")
	g.do(t, request{method: "POST", path: "/_gateway/webhook", body: event1(time.Now(), "contact", "")}).is(t, 401, "unauthenticated")
	g.post(t, nested, botToken, chat("again")).is(t, 429, "consecutive_messages")
	if n := g.metric(t, "gateway_webhook_events_total result=bad_signature"); n != 2 {
		t.Errorf("%v bad signatures counted, want 2", n)
	}
}

func TestWithoutASecretNoEventIsBelieved(t *testing.T) {
	g := start(t, newRecorder(t, ok), unlimited)
	g.deliver(t, event1(time.Now(), "contact", ""), "").is(t, 401, "unauthenticated")
}

func TestWebhookStandsOutsideTheRequestLimits(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.Webhook.Secret = webhookSecret })
	for range 50 {
		g.deliver(t, event1(time.Now(), "bot", ""), webhookSecret).is(t, 200, "")
	}
}
