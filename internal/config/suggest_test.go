package config

import "testing"

func TestNearest(t *testing.T) {
	keys := []string{"url", "window", "requests", "max_body_bytes", "max_header_bytes", "read_timeout", "timeout", "tls"}
	f := func(word, want string) {
		t.Helper()
		if got := nearest(word, keys); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}

	// Spelling
	f("maxBodyBytes", "max_body_bytes")
	f("MAX-BODY-BYTES", "max_body_bytes")
	f("URL", "url")

	// A slip or two
	f("windw", "window")
	f("winodw", "window")
	f("widnwo", "window")
	f("reqeusts", "requests")
	f("ulr", "url")
	f("tsl", "tls")

	// Too short, too long
	f("req", "requests")
	f("timeout_ms", "timeout")
	f("requests_per_second", "requests")

	// Another word
	f("", "")
	f("_", "")
	f("x", "")
	f("port", "")
	f("rl", "url")
	f("burst", "")
	f("wnidwos", "")
}

func TestDistance(t *testing.T) {
	f := func(a, b string, want int) {
		t.Helper()
		if got := distance(a, b); got != want {
			t.Errorf("distance(%q, %q) = %d, want %d", a, b, got, want)
		}
		if got := distance(b, a); got != want {
			t.Errorf("distance(%q, %q) = %d, want %d", b, a, got, want)
		}
	}
	f("", "", 0)
	f("", "abc", 3)
	f("abc", "abc", 0)
	f("abc", "abd", 1)
	f("abc", "acb", 1)
	f("abc", "ab", 1)
	f("abc", "cba", 2)
	f("kitten", "sitting", 3)
}
