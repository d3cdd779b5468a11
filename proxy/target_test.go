package proxy

import "testing"

func TestTargetInOriginForm(t *testing.T) {
	is := func(target, host, want string) {
		t.Helper()
		got, p := originForm([]byte(target), []byte(host))
		if p != "" || string(got) != want {
			t.Errorf("%q: got %q (%s), want %q", target, got, p, want)
		}
	}
	is("/v2/messages?a=b%20c", "h", "/v2/messages?a=b%20c")
	is("//v2//x/./y;z", "h", "//v2//x/./y;z")
	is("/caf%C3%A9", "h", "/caf%C3%A9")
	is("http://h/v2/messages", "h", "/v2/messages")
	is("HTTPS://H:8080/v2", "h:8080", "/v2")
	is("http://h", "h", "/")
	is("*", "h", "*")
}

func TestMalformedTargetRefused(t *testing.T) {
	refused := func(target, host string, want problem) {
		t.Helper()
		if _, p := originForm([]byte(target), []byte(host)); p != want {
			t.Errorf("%q: got %q, want %q", target, p, want)
		}
	}
	refused("/v2/messages#x", "h", badTarget)
	refused(`/v2\messages`, "h", badTarget)
	refused("/v2/%00", "h", badTarget)
	refused("/v2/%zz", "h", badTarget)
	refused("/v2/%4", "h", badTarget)
	refused("/v2?q=100%", "h", badTarget)
	refused("/v2/\x7f", "h", badTarget)
	refused("/caf\xc3\xa9", "h", badTarget)
	refused("/v2?q=\x80", "h", badTarget)
	refused("ftp://h/", "h", badTarget)
	refused("http://h?x", "h", badTarget)
	refused("foo:443", "h", badTarget)
	refused("http://tok:x@h/v2", "h", badAuthority)
	refused("http://evil/v2", "good", badAuthority)
	refused("http:///v2", "h", badAuthority)
}

func TestHostRefused(t *testing.T) {
	for _, host := range []string{"", "a:b@h", "a b", "a/b", `a\b`, "a?b", "a,b"} {
		if isHost([]byte(host)) {
			t.Errorf("%q is accepted as a host", host)
		}
	}
	for _, host := range []string{"a", "a.example:80", "127.0.0.1", "[::1]:8080"} {
		if !isHost([]byte(host)) {
			t.Errorf("%q is refused as a host", host)
		}
	}
}
