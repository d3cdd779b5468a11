package e2e

import (
	"slices"
	"strings"
	"testing"
)

func TestTheDocumentedMethodsPass(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{})
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"} {
		a := g.do(t, call{method: method, path: "/v2/users/1"})
		if a.status >= 400 {
			t.Errorf("%s got %s", method, a)
		}
		if got := up.last(t).method; got != method {
			t.Errorf("%s reached the upstream as %s", method, got)
		}
	}
}

func TestAnyOtherMethodIs405(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	for _, method := range []string{"PUT", "TRACE", "CONNECT", "PURGE", "PROPFIND", "get", "Post"} {
		got := raw(t, g.address, method+" /v2/users/1 HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		a, err := readResponse(got)
		if err != nil {
			t.Errorf("%s: cannot read %.200q: %v", method, got, err)
			continue
		}
		wantOurError(t, a, 405, "method_not_allowed")
		allow := strings.Split(strings.ReplaceAll(a.header.Get("Allow"), " ", ""), ",")
		for _, want := range []string{"GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"} {
			if !slices.Contains(allow, want) {
				t.Errorf("%s: Allow is %q, without %s", method, a.header.Get("Allow"), want)
			}
		}
		if slices.Contains(allow, "PUT") {
			t.Errorf("%s: Allow is %q, with PUT", method, a.header.Get("Allow"))
		}
		if method == "PUT" && !strings.Contains(string(a.body), "PATCH") {
			t.Errorf("the refusal of PUT does not say to use PATCH: %s", a)
		}
	}
	if got := up.seen(); len(got) != 0 {
		t.Errorf("%s reached the upstream", got[0].method)
	}
}

func TestAnExceptionOpensAMethodForItsPathOnly(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{rest: "methods: {exceptions: [{method: PUT, path: \"/v2/messages/{id}\"}]}\n"})
	wantStatus(t, g.do(t, call{method: "PUT", path: "/v2/messages/65aa0f00aabbccddeeff0011"}), 200)
	if got := up.last(t); got.method != "PUT" || got.target != "/v2/messages/65aa0f00aabbccddeeff0011" || got.body != "" {
		t.Errorf("the upstream saw %+v", got)
	}
	for _, path := range []string{"/v2/messages", "/v2/messages/1/2", "/v2/users/1", "/v2/messages/"} {
		wantOurError(t, g.do(t, call{method: "PUT", path: path}), 405, "method_not_allowed")
	}
	a := g.do(t, call{method: "PURGE", path: "/v2/messages/1"})
	wantOurError(t, a, 405, "method_not_allowed")
	if allow := a.header.Get("Allow"); !strings.Contains(allow, "PUT") {
		t.Errorf("Allow is %q where PUT is open", allow)
	}
}
