package sandbox

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// refreshes is the expression on which the official SDK refreshes its token.
var refreshes = regexp.MustCompile(`(?i)jwt expired|invalid signature|invalid token`)

func TestAuthenticationWithEmailAndPassword(t *testing.T) {
	now := time.Date(2025, 3, 1, 8, 0, 0, 0, time.UTC)
	w := newWorldWith(t, Options{Now: func() time.Time { return now }})
	got := w.as("").post("/v2/auth/token", `{"email":"alex@demo.example","password":"sandbox"}`).must(201).object()
	equal(t, "tokenType", got["tokenType"], "Bearer")
	equal(t, "user", got["user"], agentID)
	equal(t, "organization", got["organization"], organizationID)
	equal(t, "expiresAt", got["expiresAt"], "2025-03-02T08:00:00.000Z")
	equal(t, "scope", got["scope"], "viewer guest agent")
	if got["refreshToken"] == "" {
		t.Error("there is no refresh token")
	}

	c := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(got["token"].(string), c); err != nil {
		t.Fatal(err)
	}
	delete(c, "jti")
	equal(t, "claims", c, map[string]any{
		"_id": agentID, "organization": organizationID, "scope": "viewer guest agent",
		"grant_type": "access_token", "iat": now.Unix(), "exp": now.Unix() + 86400,
	})
	client{w, got["token"].(string)}.get("/v2/conversations").must(200)
}

func TestAuthenticationWithRefreshToken(t *testing.T) {
	w := newWorld(t)
	first := w.as("").post("/v2/auth/token",
		`{"email":"bot+`+botID+`@chatshipper.com","password":"sandbox"}`).must(201).object()
	body := fmt.Sprintf(`{"clientId":"bot+%s@web1on1.chat","refreshToken":%q}`, botID, first["refreshToken"])
	second := w.as("").post("/v2/auth/token", body).must(201).object()
	if second["token"] == first["token"] || second["refreshToken"] == first["refreshToken"] {
		t.Error("a refresh must rotate both tokens")
	}
	client{w, second["token"].(string)}.get("/v2/users/" + botID).must(200)
	text := client{w, second["refreshToken"].(string)}.get("/v2/users/" + botID).refused(401)
	equal(t, "a refresh token used as a bearer", text, "invalid token")
}

func TestAuthenticationRefusalsDoNotMakeTheSDKLoop(t *testing.T) {
	w := newWorld(t)
	stale := client{w, expired(w)}
	f := func(body string, status int) {
		t.Helper()
		for _, c := range []client{w.as(""), stale} {
			if text := c.post("/v2/auth/token", body).refused(status); refreshes.MatchString(text) {
				t.Errorf("the SDK would come back for ever on %q", text)
			}
		}
	}
	f(`{"email":"alex@demo.example","password":"wrong"}`, 401)
	f(`{"email":"nobody@demo.example","password":"sandbox"}`, 401)
	f(`{"email":"alex@demo.example","password":""}`, 401)
	f(`{"clientId":"bot+`+botID+`@web1on1.chat","refreshToken":"nonsense"}`, 401)
	f(`{"clientId":"bot+`+botID+`@web1on1.chat","refreshToken":"`+expired(w)+`"}`, 401)
	f(`{}`, 400)
	f(`no JSON`, 400)
	f(`[]`, 422)

	stale.post("/v2/auth/token", `{"email":"alex@demo.example","password":"sandbox"}`).must(201)
}

func expired(w *world) string {
	w.t.Helper()
	return w.as("").post("/sandbox/tokens", `{"user":"`+botID+`","expiresIn":"-1h"}`).must(201).object()["token"].(string)
}

func TestAuthenticationRefusesWithTheTextsOfTheSDK(t *testing.T) {
	w := newWorld(t)
	f := func(token, want string) {
		t.Helper()
		r := client{w, token}.get("/v2/conversations")
		equal(t, "text", r.refused(401), want)
		if r.header.Get("WWW-Authenticate") == "" {
			t.Error("a 401 must say which scheme would help")
		}
	}
	forged := New(Options{Secret: "another"}).Credential("bot").Token
	f("", "No authorization token was found")
	f(expired(w), "jwt expired")
	f(forged, "invalid signature")
	f("a.b.c", "invalid token")
	f("0123456789abcdef0123456789abcdef", "invalid token")

	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims{User: botID, GrantType: accessGrant}).
		SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	f(none, "invalid signature")
}

func TestAuthenticationMatchesTheSchemeWhateverItsCase(t *testing.T) {
	w := newWorld(t)
	token := w.s.Credential("bot").Token
	f := func(header string, want int) {
		t.Helper()
		w.as("").do("GET", "/v2/conversations", "", "Authorization", header).must(want)
	}
	f("bearer "+token, 200)
	f("BEARER   "+token+" ", 200)
	f("Basic "+token, 401)
	f(token, 401)
}

func TestPermanentTokenOfABotUser(t *testing.T) {
	w := newWorld(t)
	c := w.s.Credential("third bot")
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(c.Token) || !c.Permanent {
		t.Errorf("the third bot's token must be 32 hex digits, got %s", c.Token)
	}
	m := client{w, c.Token}.post("/v2/conversations/"+conversationID+"/messages", `{"text":"hi"}`).must(201).object()
	equal(t, "author", m["user"], thirdBotID)
	equal(t, "role", m["role"], "bot")

	w.as("admin").do("DELETE", "/v2/users/"+thirdBotID, "").must(204)
	client{w, c.Token}.get("/v2/conversations").refused(401)
}

func TestTokenActsAsItsUser(t *testing.T) {
	w := newWorld(t)
	w.as("agent").get("/v2/users").refused(403)
	w.as("admin").patch("/v2/users/"+agentID, `{"role":"admin"}`).must(200)
	w.as("agent").get("/v2/users").must(200)
	w.as("second agent").patch("/v2/users/"+secondAgentID, `{"role":"admin"}`).refused(403)
}

func TestReadyMadeTokensNeverChange(t *testing.T) {
	later := Options{Now: func() time.Time { return time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC) }}
	a, b := New(Options{}), newWorldWith(t, later)
	t.Cleanup(a.Close)
	equal(t, "credentials", a.Credentials(), b.s.Credentials())
	equal(t, "how many", len(a.Credentials()), 6)
	for _, c := range a.Credentials() {
		client{b, c.Token}.get("/v2/users/" + c.UserID).must(200)
		b.as("").post("/v2/auth/token", `{"email":"`+c.Email+`","password":"`+c.Password+`"}`).must(201)
	}
}

func TestPermissionTable(t *testing.T) {
	w := newWorld(t)
	tokens := map[string]client{"agent": w.as("agent"), "bot": w.as("bot"), "admin": w.as("admin")}
	tokens["guest"] = client{w, w.as("").post("/sandbox/tokens", `{"role":"guest"}`).must(201).object()["token"].(string)}
	id := map[string]string{"organizations": organizationID, "users": adminID, "contacts": contactID, "conversations": conversationID}
	for _, kind := range []string{"orggroups", "forms", "services", "kbitems"} {
		id[kind] = w.as("admin").post("/v2/"+kind, `{"name":"x","type":"x"}`).must(201).id()
	}
	id["messages"] = w.as("agent").post("/v2/messages", `{"conversation":"`+conversationID+`","text":"x"}`).must(201).id()

	f := func(method, kinds, allowed string) {
		t.Helper()
		for kind := range strings.FieldsSeq(kinds) {
			path, body := "/v2/"+kind, ""
			switch method {
			case "list":
				path += "?id=" + id[kind]
			case "fetch":
				path += "/" + id[kind]
			case "create":
				body = "{}" // permitted: 201 or 422, but not 403
			}
			for role, c := range tokens {
				verb := map[bool]string{true: http.MethodPost, false: http.MethodGet}[body != ""]
				got := c.do(verb, path, body).status != http.StatusForbidden
				if want := strings.Contains(allowed, role); got != want {
					t.Errorf("%s may %s %s: got %v, want %v", role, method, kind, got, want)
				}
			}
		}
	}
	f("list", "organizations orggroups users messages forms", "bot admin")
	f("list", "conversations contacts kbitems", "agent bot admin")
	f("list", "services", "admin")
	f("fetch", "organizations orggroups users messages contacts", "bot admin")
	f("fetch", "conversations", "guest agent bot admin")
	f("fetch", "kbitems", "agent bot admin")
	f("fetch", "forms services", "admin")
	f("create", "organizations orggroups users services", "admin")
	f("create", "conversations kbitems", "agent bot admin")
	f("create", "messages", "guest agent bot admin")
	f("create", "contacts forms", "bot admin")

	w.as("agent").get("/v2/users/" + agentID).must(200)
	w.as("agent").get("/v2/users/" + secondAgentID).refused(403)
}

func TestMadeTokens(t *testing.T) {
	w := newWorld(t)
	f := func(body, role, scope string) string {
		t.Helper()
		got := w.as("").post("/sandbox/tokens", body).must(201).object()
		equal(t, "role", got["role"], role)
		equal(t, "scope", got["scope"], scope)
		token := got["token"].(string)
		client{w, token}.get("/v2/users/" + got["user"].(string)).must(200)
		return token
	}
	f(`{"role":"bot"}`, "bot", "viewer guest agent bot")
	f(`{"user":"`+agentID+`"}`, "agent", "viewer guest agent")
	if token := f(`{"role":"bot","permanent":true}`, "bot", "viewer guest agent bot"); len(token) != 32 {
		t.Errorf("a permanent token has 32 digits, got %s", token)
	}
	token := f(`{"role":"bot","scope":"admin"}`, "bot", "viewer guest agent bot admin")
	m := client{w, token}.post("/v2/conversations/"+conversationID+"/messages", `{"text":"x"}`).must(201)
	equal(t, "a bot with an admin's scope writes as", m.object()["role"], "bot")

	w.as("").post("/sandbox/tokens", `{"role":"king"}`).refused(400)
	w.as("").post("/sandbox/tokens", `{"user":"65aa00112233445566770000"}`).refused(404)
	w.as("").post("/sandbox/tokens", `{"role":"bot","expiresIn":"soon"}`).refused(400)
	w.as("").post("/sandbox/tokens", `{"role":"bot","scope":"king"}`).refused(400)
}
