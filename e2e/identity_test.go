package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func TestAKeyIsDemandedWhenRequired(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{rest: "identity: {required: true}\n"})
	for _, authorization := range []string{"", "Bearer", "Bearer   ", "Basic eDp5"} {
		a := g.do(t, call{path: "/v2/users", header: map[string]string{"Authorization": authorization}})
		wantOurError(t, a, 401, "unauthenticated")
		wantHarmlessToTheSDK(t, a)
	}
	if got := len(up.seen()); got != 0 {
		t.Errorf("%d requests without a key reached the upstream", got)
	}
	wantStatus(t, g.do(t, call{path: "/v2/users", token: mint(agentUser, agentScope)}), 200)
	// A log-in has no key yet.
	wantStatus(t, g.do(t, call{path: "/v2/auth/token", body: `{"email":"x","password":"y"}`}), 201)
}

// wantHarmlessToTheSDK checks that a 401 does not read like one on which the
// SDK refreshes its token and comes back.
func wantHarmlessToTheSDK(t *testing.T, a answer) {
	t.Helper()
	for _, trigger := range []string{"jwt expired", "invalid signature", "invalid token"} {
		if strings.Contains(strings.ToLower(string(a.body)), trigger) {
			t.Errorf("the answer says %q, on which the SDK refreshes: %s", trigger, a)
		}
	}
}

func TestVerifiedTokensAreRefusedInTheSDKsWords(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{rest: "identity: {jwt: {secret: verified-secret}}\n"})
	genuine := claims(agentUser, agentScope)
	expired := claims(agentUser, agentScope)
	expired["exp"] = 1740816001
	f := func(token, message string) {
		t.Helper()
		o := wantOurError(t, g.do(t, call{path: "/v2/users", token: token}), 401, "unauthenticated")
		if at(o, "error", "message") != message {
			t.Errorf("error.message is %v, want %q", at(o, "error", "message"), message)
		}
	}
	f(mintSigned("verified-secret", expired), "jwt expired")
	f(mintSigned("another secret", genuine), "invalid signature")
	if got := len(up.seen()); got != 0 {
		t.Errorf("%d of them reached the upstream", got)
	}
	wantStatus(t, g.do(t, call{path: "/v2/users", token: mintSigned("verified-secret", genuine)}), 200)

	// The SDK refreshes with the stale bearer still attached.
	for _, stale := range []string{mintSigned("verified-secret", expired), mintSigned("another secret", genuine), "not.a.jwt"} {
		wantStatus(t, g.do(t, call{path: "/v2/auth/token", token: stale, body: `{"clientId":"x","refreshToken":"y"}`}), 201)
	}
}

func TestALogInIsLimitedInWordsThatEndTheSDKsLoop(t *testing.T) {
	t.Parallel()
	up := startStub(t, reply(401, "application/json", `{"message":"Wrong email or password"}`))
	g := startGateway(t, up.URL, setup{rest: "limits: {per_ip: {window: 1m}}\n"})
	for range 20 {
		wantStatus(t, g.do(t, call{path: "/v2/auth/token", body: `{"email":"x","password":"y"}`}), 401)
	}
	a := g.do(t, call{path: "/v2/auth/token", body: `{"email":"x","password":"y"}`})
	wantOurError(t, a, 429, "rate_limited_ip")
	wantHarmlessToTheSDK(t, a)
}

func TestAnUnknownTokenIsTheUpstreamsToRefuse(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{})
	for _, token := range []string{"", "0123456789abcdef0123456789abcdef", mint(botUser, botScope), "x.y.z"} {
		a := g.do(t, call{path: "/v2/users/" + botUser, token: token})
		wantJSONError(t, a, 401)
	}
	if got := g.metrics(t).value(t, `gateway_upstream_requests_total{code="401"}`); got != 4 {
		t.Errorf("the upstream answered 401 to %v requests, want 4", got)
	}
}

func TestIntrospectionTakesTheRoleFromTheUpstream(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/v2/users/"+adminUser {
			asked.Add(1)
			reply(200, "application/json", fmt.Sprintf(`{"id":%q,"role":"bot","organizations":[{"role":"bot"}]}`, adminUser))(w, r)
			return
		}
		agreeable(w, r)
	})
	g := startGateway(t, up.URL, setup{rest: noRequestLimits + "identity: {introspection: {path: \"/v2/users/{user}\"}}\n"})
	token := mint(adminUser, adminScope)
	for range 8 {
		wantStatus(t, g.do(t, routes[1].send(token, conversation(1), text("hello"))), 201)
	}
	wantOurError(t, g.do(t, routes[1].send(token, conversation(1), text("hello"))), 429, "identical_messages")
	if got := asked.Load(); got != 1 {
		t.Errorf("the upstream was asked %d times who that is, want once", got)
	}
}
