package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
)

// sandboxSecret signs the tokens of every sandbox; docs/sandbox.md tells it.
const sandboxSecret = "chatshipper-sandbox-secret-not-for-production"

// expiredBot is a bot of the sandbox whose token has expired.
func (s *sandbox) expiredBot(t *testing.T, host string) bot {
	t.Helper()
	user := s.mint(t, `{"role":"bot"}`)
	expired := s.mint(t, fmt.Sprintf(`{"user":%q,"expiresIn":"-1h"}`, user["user"]))
	login := s.direct(t, call{path: "/v2/auth/token", body: fmt.Sprintf(`{"email":%q,"password":"sandbox"}`, user["email"])})
	wantStatus(t, login, 201)
	b := bot{Host: host}
	b.Token, _ = expired["token"].(string)
	b.Email, _ = user["email"].(string)
	b.RefreshToken, _ = at(login.object(t), "refreshToken").(string)
	return b
}

// whoeverVerifies runs a test with a gateway that leaves tokens to the upstream
// and with one that verifies them itself: the SDK must not see a difference.
func whoeverVerifies(t *testing.T, test func(t *testing.T, s *sandbox, g *gateway)) {
	t.Helper()
	for name, rest := range map[string]string{
		"the upstream verifies": manyRequests,
		"the gateway verifies":  manyRequests + "identity: {jwt: {secret: " + sandboxSecret + "}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSandbox(t)
			test(t, s, startGateway(t, s.url(), setup{rest: rest}))
		})
	}
}

func TestTheSDKRefreshesOnceAndThenUsesTheNewToken(t *testing.T) {
	t.Parallel()
	whoeverVerifies(t, func(t *testing.T, s *sandbox, g *gateway) {
		b := s.expiredBot(t, g.url())
		thread := s.newConversation(t, 1)
		b.Calls = []sdkCall{
			{"send", []any{thread, "with the old token"}, 1},
			{"conversations.get", []any{thread}, 2},
			{"send", []any{thread, "with the new token"}, 1},
		}
		before := s.arrivals(t)
		for _, o := range b.drive(t) {
			wantOK(t, o)
			if o.Token == b.Token || o.Token == "" {
				t.Errorf("%s: the SDK still holds the expired token", o.Call)
			}
		}
		arrived := s.arrivals(t).since(before)
		if got := arrived.Routes["POST /v2/auth/token"]; got != 1 {
			t.Errorf("the SDK refreshed %d times, want once: %v", got, arrived.Routes)
		}
		if got := s.messages(t, thread); got != 2 {
			t.Errorf("%d messages were created, want 2: the refused one was sent once more, and only once", got)
		}
	})
}

func TestARefusedRefreshIsTriedOnceForEachCall(t *testing.T) {
	t.Parallel()
	whoeverVerifies(t, func(t *testing.T, s *sandbox, g *gateway) {
		b := s.expiredBot(t, g.url())
		b.RefreshToken = s.tokens["second bot"] // no refresh token, and another's
		b.Calls = []sdkCall{{"conversations.get", []any{seededThread}, 2}}
		before := s.arrivals(t)
		for _, o := range b.drive(t) {
			if o.OK || o.Message != "jwt expired" {
				t.Errorf("%s: ok %v, err.message %q; want the reason, jwt expired", o.Call, o.OK, o.Message)
			}
		}
		arrived := s.arrivals(t).since(before)
		if got := arrived.Routes["POST /v2/auth/token"]; got != 2 {
			t.Errorf("the SDK tried to refresh %d times in 2 calls, want once for each", got)
		}
	})
}

func TestTheSDKsCallerReadsTheUpstreamsOwnWords(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: manyRequests})
	f := func(token string, direct call, status int, viaSDK sdkCall) {
		t.Helper()
		direct.token = token
		upstream := s.direct(t, direct)
		wantStatus(t, upstream, status)
		want, _ := at(upstream.object(t), "message").(string)
		o := bot{Host: g.url(), Token: token, Calls: []sdkCall{viaSDK}}.drive(t)[0]
		if o.OK || o.StatusCode != status || o.Message != want || want == "" {
			t.Errorf("%s: ok %v, status %d, err.message %q; want %d %q", o.Call, o.OK, o.StatusCode, o.Message, status, want)
		}
		var body map[string]any
		if err := json.Unmarshal(upstream.body, &body); err != nil || fmt.Sprint(o.Body) != fmt.Sprint(body) {
			t.Errorf("%s: err.response.body is %v, want %v", o.Call, o.Body, body)
		}
	}
	nobody := conversation(99)
	f(s.tokens["admin"], call{path: "/v2/contacts/" + nobody}, 404, sdkCall{"contacts.get", []any{nobody}, 1})
	f(s.tokens["bot"], call{method: "PATCH", path: "/v2/conversations/" + nobody, body: `{"name":"x"}`}, 404,
		sdkCall{"conversations.update", []any{nobody, map[string]any{"name": "x"}}, 1})
	f(s.tokens["agent"], call{path: "/v2/services"}, 403, sdkCall{"services.list", []any{}, 1})
	f(s.tokens["agent"], call{method: "DELETE", path: "/v2/messages/" + nobody}, 403, sdkCall{"messages.delete", []any{nobody}, 1})
	f(s.tokens["bot"], call{path: "/v2/conversations/" + seededThread + "/messages", body: `{"text":""}`}, 422,
		sdkCall{"send", []any{seededThread, map[string]any{"text": ""}}, 1})
	f(s.tokens["bot"], call{path: "/v2/messages", body: `{"text":"x","conversation":"` + seededThread + `","type":"no such type"}`}, 422,
		sdkCall{"messages.create", []any{map[string]any{"text": "x", "conversation": seededThread, "type": "no such type"}}, 1})
}
