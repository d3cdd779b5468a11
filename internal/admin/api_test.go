package admin

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withAPI is a server that answers with what it was asked.
func withAPI(t *testing.T, cfg Config) (s *Server, asked *[]string) {
	t.Helper()
	asked = new([]string)
	d := deps()
	d.API = API{
		Explain: func(q Question) (any, error) {
			*asked = append(*asked, strings.Join([]string{q.IP, q.Key, q.User, q.Role, q.Conversation, string(q.Message)}, "|"))
			return q, nil
		},
		Top: func(n int) any { return n },
		Reset: func(conversation string) (string, error) {
			*asked = append(*asked, "reset "+conversation)
			return "d1ge57", nil
		},
	}
	return server(t, cfg, d), asked
}

func post(s *Server, path, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func TestAQuestionIsTheSameInAQueryAndInABody(t *testing.T) {
	s, asked := withAPI(t, DefaultConfig())
	get(s, "GET", "/admin/v1/explain?ip=192.0.2.1&key=k&user=u&role=bot&conversation=c&message=%7B%7D", "localhost")
	post(s, "/admin/v1/explain", `{"ip":"192.0.2.1","key":"k","user":"u","role":"bot","conversation":"c","message":{}}`)
	if want := "192.0.2.1|k|u|bot|c|{}"; len(*asked) != 2 || (*asked)[0] != want || (*asked)[1] != want {
		t.Errorf("asked %q, want %s twice", *asked, want)
	}
}

func TestTheAPIAsksForTheToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, asked := withAPI(t, Config{Address: "127.0.0.1:9900", TokenFile: file})
	f := func(want int, headers ...string) {
		t.Helper()
		if r := post(s, "/admin/v1/loopguard/reset", `{"conversation":"c"}`, headers...); r.StatusCode != want {
			t.Errorf("%v: %d, want %d", headers, r.StatusCode, want)
		}
	}
	f(401)
	f(401, "Authorization: Bearer wrong")
	if len(*asked) != 0 {
		t.Fatalf("without the token %q was done", *asked)
	}
	f(200, "Authorization: Bearer secret")
	if len(*asked) != 1 {
		t.Errorf("with the token %q was done", *asked)
	}
}

func TestABodyThatIsNoQuestion(t *testing.T) {
	s, asked := withAPI(t, DefaultConfig())
	f := func(body string, want int, headers ...string) {
		t.Helper()
		if r := post(s, "/admin/v1/explain", body, headers...); r.StatusCode != want {
			t.Errorf("%.40s %v: %d, want %d", body, headers, r.StatusCode, want)
		}
	}
	f("", 400)
	f("[]", 400)
	f(`{} {}`, 400)
	f(`{"ipp":"x"}`, 400)
	f(`{"ip":"`+strings.Repeat("x", maxQuestion)+`"}`, 400)
	f(`{}`, 400, "Content-Type: text/plain")
	f(`{}`, 400, "Content-Type: ;")
	f(`{}`, 403, "Sec-Fetch-Site: cross-site")
	f(`{}`, 403, "Origin: http://127.0.0.1:1")
	f(`{}`, 200, "Sec-Fetch-Site: same-origin")
	if len(*asked) != 1 {
		t.Errorf("asked %q", *asked)
	}
	if r := get(s, "GET", "/admin/v1/top?n=7", "localhost"); text(t, r) != "7\n" {
		t.Error("the number of the most refused is not passed on")
	}
	if r := get(s, "DELETE", "/admin/v1/top", "localhost"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("DELETE: %d", r.StatusCode)
	}
	if r := get(s, "GET", "/admin/v1/loopguard/reset", "localhost"); r.StatusCode != 405 || r.Header.Get("Allow") != "POST" {
		t.Errorf("a reset by GET: %d", r.StatusCode)
	}
}

func TestWithoutAnAPIThereIsNone(t *testing.T) {
	s := server(t, DefaultConfig(), deps())
	for _, path := range []string{"/admin/v1/explain", "/admin/v1/top", "/admin/v1/loopguard/reset"} {
		if r := get(s, "GET", path, "localhost"); r.StatusCode != 404 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}
