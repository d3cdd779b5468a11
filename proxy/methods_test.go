package proxy

import "testing"

func TestMethods(t *testing.T) {
	cfg := DefaultMethods()
	cfg.Exceptions = []MethodException{{Method: "PUT", Path: "/v2/messages/{id}"}, {Method: "PURGE", Path: "/cache"}}
	m := compileMethods(cfg)
	is := func(name, path string, want bool) {
		t.Helper()
		if got := m.allowed(methodOf([]byte(name)), []byte(name), []byte(path)); got != want {
			t.Errorf("%s %s: allowed %v, want %v", name, path, got, want)
		}
	}
	for _, name := range cfg.Allow {
		is(name, "/anything", true)
	}
	is("PUT", "/v2/messages/65aa", true)
	is("PUT", "/v2/messages", false)
	is("PUT", "/v2/messages/", false)
	is("PUT", "/v2/messages/65aa/x", false)
	is("PUT", "/v2/users/65aa", false)
	is("PURGE", "/cache", true)
	is("PURGE", "/", false)
	is("TRACE", "/", false)
	is("CONNECT", "/", false)
	is("get", "/", false)
	if got, want := m.allowHeader([]byte("/v2/messages/65aa")), "GET, HEAD, OPTIONS, POST, PATCH, DELETE, PUT"; got != want {
		t.Errorf("Allow: %s, want %s", got, want)
	}
}
