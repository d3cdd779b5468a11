package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestDocumentationOrganizationsAndUsers(t *testing.T) {
	f := newParagraph(t)
	f("organizations form a tree",
		step{ask: "admin POST /v2/organizations", body: `{"name":"Demo North"}`, want: 201, says: `"level":2`, keep: "north"},
		step{ask: "admin POST /v2/organizations", body: `{"name":"Shop","parent":"<north>"}`, want: 201, says: `"level":3`, keep: "shop"},
		step{ask: "admin GET /v2/organizations/<shop>", want: 200, says: `"path":"<organization>#<north>#<shop>"`},
		step{ask: "bot POST /v2/contacts", body: `{"organization":"<shop>"}`, want: 201, says: `"orgPath":"<organization>#<north>#<shop>"`},
		step{ask: "bot GET /v2/contacts?orgPath=^<organization>%23<north>", want: 200, says: `"organization":"<shop>"`},
		step{ask: "bot POST /v2/contacts", body: `{"organization":"<nowhere>"}`, want: 422})
	f("a password is never echoed",
		step{
			ask: "admin POST /v2/users", body: `{"email":"kim@demo.example","password":"s3cret","givenName":"Kim","organizations":[{"role":"agent"}]}`,
			want: 201, says: `"givenName":"Kim"`, keep: "kim",
		},
		step{ask: "admin GET /v2/users/<kim>", want: 200, says: `"role":"agent"`},
		step{ask: "nobody POST /v2/auth/token", body: `{"email":"kim@demo.example","password":"s3cret"}`, want: 201},
		step{ask: "admin PATCH /v2/users/<kim>", body: `{"password":"n3w"}`, want: 200},
		step{ask: "nobody POST /v2/auth/token", body: `{"email":"kim@demo.example","password":"s3cret"}`, want: 401},
		step{ask: "admin POST /v2/users", body: `{"email":"kim@demo.example"}`, want: 422})
	f("PATCH merges at the top level and replaces what is nested",
		step{ask: "bot POST /v2/contacts", body: `{"profile":{"name":"Ada","email":"a@b.example"},"tags":["x","y"],"keep":1}`, want: 201, keep: "new"},
		step{
			ask: "bot PATCH /v2/contacts/<new>", body: `{"profile":{"name":"Eve"},"tags":["z"],"nothing":null}`, want: 200,
			says: `"profile":{"name":"Eve"},"tags":["z"],"keep":1 … "nothing":null`,
		})
	f("datetimes come in any ISO 8601 form and go out as UTC",
		step{
			ask: "bot POST /v2/contacts", body: `{"birthdayAt":"1990-05-01","seenAt":"2025-03-01T10:00:00+02:00","dueAt":"2025-03-01T08:00:00","saidAt":"soon"}`, want: 201,
			says: `"1990-05-01T00:00:00.000Z" … "2025-03-01T08:00:00.000Z" … "2025-03-01T08:00:00.000Z" … "soon"`,
		})
}

func TestDocumentationServices(t *testing.T) {
	f := newParagraph(t)
	f("PATCH of smartsupp fills in port 5222",
		step{
			ask: "admin POST /v2/services", body: `{"name":"Smartsupp","type":"smartsupp","params":{"username":"ada","password":"old","port":1234}}`, want: 201,
			says: `"port":1234`, keep: "service",
		},
		step{
			ask: "admin PATCH /v2/services/<service>", body: `{"params":{"username":"ada","password":"new"}}`, want: 200,
			says: `"params":{"username":"ada","password":"new","port":5222}`,
		},
		step{ask: "admin GET /v2/services/<service>", want: 200, says: `"port":5222`},
		step{ask: "admin POST /v2/services", body: `{"name":"x"}`, want: 422})
}

func TestDocumentationWebhooks(t *testing.T) {
	receiver := func(tail string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.URL.Query().Get("challenge")+tail)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	right, wrong := receiver(""), receiver("\n") // one byte too many
	f := newParagraph(t)
	f("a webhook that repeats the challenge is active",
		step{
			ask: "admin POST /v2/services", body: `{"name":"x","type":"webhook","params":{"url":"` + right + `","events":["message.create"]}}`, want: 201,
			says: `"status":"active"`, keep: "hook",
		},
		step{ask: "admin GET /v2/services/<hook>", want: 200, says: `"secret":"`})
	f("one that does not is 403 and does not come to be",
		step{ask: "admin POST /v2/services", body: `{"type":"webhook","params":{"url":"` + wrong + `"}}`, want: 403},
		step{ask: "admin POST /v2/services", body: `{"type":"webhook"}`, want: 422},
		step{ask: "admin GET /v2/services", want: 200, says: `[]`})
	f("it is unverified until it is set to active",
		step{ask: "admin POST /v2/services", body: `{"type":"webhook","status":"unverified","params":{"url":"` + wrong + `"}}`, want: 201, says: `"unverified"`, keep: "hook"},
		step{ask: "admin PATCH /v2/services/<hook>", body: `{"status":"active"}`, want: 403},
		step{ask: "admin PATCH /v2/services/<hook>", body: `{"params":{"url":"` + right + `"}}`, want: 200, says: `"status":"active"`})
}
