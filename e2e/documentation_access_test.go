package e2e

import "testing"

func TestDocumentationAuthentication(t *testing.T) {
	f := newParagraph(t)
	f("a bearer token acts as its user",
		step{ask: "bot GET /v2/users/<bot>", want: 200, says: `"id":"<bot>" … "givenName":"Demo"`},
		step{ask: "agent GET /v2/users/<agent>", want: 200, says: `"id":"<agent>"`},
		step{ask: "third-bot GET /v2/users/<third>", want: 200, says: `"id":"<third>"`},
		step{ask: "nobody GET /v2/users/<bot>", want: 401, says: "No authorization token was found"})
	f("no valid token is 401 in the words that the SDK understands",
		step{ask: "nobody POST /sandbox/tokens", body: `{"user":"<bot>","expiresIn":"-1h"}`, want: 201, keep: "stale=token"},
		step{ask: "<stale> GET /v2/conversations", want: 401, says: "jwt expired"},
		step{ask: "<stale> POST <thread>", body: `{"text":"x"}`, want: 401, says: "jwt expired"},
		step{ask: mint(botUser, botScope) + " GET /v2/conversations", want: 401, says: "invalid signature"},
		step{ask: "a.b.c GET /v2/conversations", want: 401, says: "invalid token"},
		step{ask: "0123456789abcdef0123456789abcdef POST <thread>", body: `{"text":"x"}`, want: 401, says: "invalid token"},
		step{ask: "nobody GET /v2/users", header: map[string]string{"Authorization": "Basic eA=="}, want: 401})
	f("e-mail and password give a token",
		step{
			ask: "nobody POST /v2/auth/token", body: `{"email":"alex@demo.example","password":"sandbox"}`, want: 201,
			says: `"tokenType":"Bearer"`, keep: "fresh=token",
		},
		step{ask: "<fresh> GET /v2/users/<agent>", want: 200, says: `"id":"<agent>"`},
		step{ask: "nobody POST /v2/auth/token", body: `{"email":"alex@demo.example","password":"no"}`, want: 401},
		step{ask: "nobody POST /v2/auth/token", body: `{}`, want: 400},
		step{ask: "nobody POST /v2/auth/token", body: `no JSON`, want: 400},
		step{ask: "nobody POST /v2/auth/token", body: `[]`, want: 422})
	f("a refresh token gives another, whatever bearer comes along",
		step{ask: "nobody POST /v2/auth/token", body: `{"email":"bot+<bot>@chatshipper.com","password":"sandbox"}`, want: 201, keep: "refresh=refreshToken"},
		step{ask: "nobody POST /sandbox/tokens", body: `{"user":"<bot>","expiresIn":"-1h"}`, want: 201, keep: "stale=token"},
		step{ask: "<stale> POST /v2/auth/token", body: `{"clientId":"bot+<bot>@web1on1.chat","refreshToken":"<refresh>"}`, want: 201, keep: "fresh=token"},
		step{ask: "<fresh> GET /v2/users/<bot>", want: 200},
		step{ask: "<refresh> GET /v2/users/<bot>", want: 401, says: "invalid token"},
		step{ask: "<stale> POST /v2/auth/token", body: `{"clientId":"x","refreshToken":"nonsense"}`, want: 401})
	f("a permanent token ends with its user",
		step{ask: "admin DELETE /v2/users/<third>", want: 204},
		step{ask: "third-bot GET /v2/conversations", want: 401})
}

func TestDocumentationScopesAndPermissions(t *testing.T) {
	f := newParagraph(t)
	guest := step{ask: "nobody POST /sandbox/tokens", body: `{"role":"guest"}`, want: 201, keep: "guest=token"}
	roles := []string{"<guest>", "agent", "bot", "admin"}
	// allowed has a + for each role that may, in that order; a refusal is 403.
	table := func(name, ask, body string, granted int, allowed string) {
		t.Helper()
		steps := []step{guest}
		for i, role := range roles {
			want := 403
			if allowed[i] == '+' {
				want = granted
			}
			steps = append(steps, step{ask: role + " " + ask, body: body, want: want})
		}
		f(name, steps...)
	}
	for _, kind := range []string{"organizations", "orggroups", "users", "forms"} {
		table("list "+kind, "GET /v2/"+kind, "", 200, "--++")
	}
	table("list messages", "GET /v2/messages?type=chat", "", 200, "--++")
	for _, kind := range []string{"conversations", "contacts", "kbitems"} {
		table("list "+kind, "GET /v2/"+kind, "", 200, "-+++")
	}
	table("list services", "GET /v2/services", "", 200, "---+")
	table("fetch an organization", "GET /v2/organizations/<organization>", "", 200, "--++")
	table("fetch another user", "GET /v2/users/<second>", "", 200, "--++")
	table("fetch a contact", "GET /v2/contacts/<contact>", "", 200, "--++")
	table("fetch a conversation", "GET /v2/conversations/<conversation>", "", 200, "++++")
	table("create an organization", "POST /v2/organizations", `{"name":"x"}`, 201, "---+")
	table("create a service", "POST /v2/services", `{"type":"x"}`, 201, "---+")
	table("create a conversation", "POST /v2/conversations", `{"type":"agent"}`, 201, "-+++")
	table("create a knowledge item", "POST /v2/kbitems", `{"name":"x"}`, 201, "-+++")
	table("create a message", "POST <thread>", `{"text":"x"}`, 201, "++++")
	table("create a contact", "POST /v2/contacts", `{"name":"x"}`, 201, "--++")
	table("create a form", "POST /v2/forms", `{"name":"x"}`, 201, "--++")
	f("a bot may create a form, but not fetch it",
		step{ask: "bot POST /v2/forms", body: `{"name":"x"}`, want: 201, keep: "form"},
		step{ask: "bot GET /v2/forms/<form>", want: 403},
		step{ask: "admin GET /v2/forms/<form>", want: 200})
	f("everybody may fetch the own user", step{ask: "agent GET /v2/users/<agent>", want: 200}, step{ask: "agent GET /v2/users/<bot>", want: 403})
}

func TestDocumentationMethodsAndStatuses(t *testing.T) {
	f := newParagraph(t)
	f("GET 200, POST 201, PATCH 200, DELETE 204 without a body, then 404",
		step{ask: "bot POST /v2/contacts", body: `{"name":"x","extra":{"a":[1,2.50,null,"é<>&"]}}`, want: 201, says: `"extra":{"a":[1,2.50,null,"é`, keep: "new"},
		step{ask: "bot GET /v2/contacts/<new>", want: 200},
		step{ask: "bot PATCH /v2/contacts/<new>", body: `{"vip":true}`, want: 200, says: `"vip":true`},
		step{ask: "bot DELETE /v2/contacts/<new>", want: 204},
		step{ask: "bot GET /v2/contacts/<new>", want: 404, says: "Contact not found"},
		step{ask: "bot PATCH /v2/contacts/<new>", body: `{}`, want: 404},
		step{ask: "bot DELETE /v2/contacts/<new>", want: 404})
	f("400 and 422 for a body that cannot be used",
		step{ask: "bot POST /v2/contacts", body: `{"name":`, want: 400},
		step{ask: "bot POST /v2/contacts", want: 400},
		step{ask: "bot POST /v2/contacts", body: `[]`, want: 422},
		step{ask: "admin POST /v2/users", body: `{"givenName":"Nobody"}`, want: 422},
		step{ask: "bot PATCH /v2/contacts/<contact>", body: `7`, want: 422})
	f("404 for what is not there",
		step{ask: "bot GET /v2/nothing", want: 404},
		step{ask: "bot GET /v3/contacts", want: 404},
		step{ask: "bot GET /v2/conversations/<nowhere>", want: 404, says: "Conversation not found"})
	f("PUT is not used, but for messages.replace",
		step{ask: "bot PUT /v2/contacts/<contact>", body: `{}`, want: 405, code: "method_not_allowed"},
		step{ask: "bot PUT <thread>", body: `{}`, want: 405, code: "method_not_allowed"},
		step{ask: "bot POST /v2/messages/<nowhere>", body: `{}`, want: 405},
		step{ask: "bot POST <thread>", body: `{"text":"x"}`, want: 201, keep: "message"},
		step{ask: "bot PUT /v2/messages/<message>", want: 200, says: `"text":"x"`},
		step{ask: "bot PUT /v2/messages/<message>", body: `{"text":"y"}`, want: 200, says: `"text":"y"`},
		step{ask: "agent PUT /v2/messages/<message>", want: 403},
		step{ask: "bot PUT /v2/messages/<nowhere>", want: 404})
	f("HEAD and OPTIONS",
		step{ask: "bot HEAD /v2/contacts", want: 200},
		step{ask: "bot HEAD /v2/contacts/<nowhere>", want: 404},
		step{ask: "nobody HEAD /v2/contacts", want: 401},
		step{ask: "nobody OPTIONS /v2/messages/1", want: 204},
		step{ask: "bot OPTIONS <thread>", want: 204})
	for _, status := range []string{"429", "500", "502", "503"} {
		f(status+" of the API stays what it is",
			step{ask: "nobody POST /sandbox/faults", body: `{"path":"/v2/users","status":` + status + `}`, want: 201},
			step{ask: "bot GET /v2/users", want: map[string]int{"429": 429, "500": 500, "502": 502, "503": 503}[status], says: `"message":`},
			step{ask: "bot GET /v2/users", want: 200})
	}
}
