package apierror

import (
	"regexp"
	"strings"
	"testing"
)

func TestEveryCodeHasTheDocumentedNameAndStatus(t *testing.T) {
	want := map[string]int{
		"internal": 500, "invalid_request": 400, "unauthenticated": 401, "method_not_allowed": 405,
		"request_timeout": 408, "payload_too_large": 413, "unsupported_encoding": 415,
		"expectation_failed": 417, "rate_limited_ip": 429, "rate_limited_key": 429,
		"identical_messages": 429, "consecutive_messages": 429, "headers_too_large": 431,
		"upstream_unreachable": 502, "upstream_invalid": 502, "upstream_timeout": 503,
		"overloaded": 503, "draining": 503, "upstream_unavailable": 503, "http_version_not_supported": 505,
	}
	for _, code := range Codes() {
		status, ok := want[code.String()]
		if !ok || status != code.Status() {
			t.Errorf("code %q has status %d, want %d (documented: %v)", code, code.Status(), status, ok)
		}
		delete(want, code.String())
	}
	if len(want) > 0 {
		t.Errorf("no such codes: %v", want)
	}
}

func TestEveryCodeExplainsItselfInPlainSentences(t *testing.T) {
	for _, code := range Codes() {
		m := code.Message()
		if len(m) < 30 || !strings.HasSuffix(m, ".") || m[0] < 'A' || m[0] > 'Z' {
			t.Errorf("%s: not a sentence: %q", code, m)
		}
		if needsEscaping(m) {
			t.Errorf("%s: holds a character that JSON escapes: %q", code, m)
		}
	}
}

func TestPutIsToldToUsePatch(t *testing.T) {
	m := MethodNotAllowed.Message()
	if !strings.Contains(m, "use PATCH instead of PUT: it merges top-level fields and replaces nested ones") {
		t.Errorf("got %q", m)
	}
}

func TestNoTextOfOursMakesTheSDKRefreshItsToken(t *testing.T) {
	refresh := regexp.MustCompile(`(?i)jwt expired|invalid signature|invalid token`)
	for _, code := range Codes() {
		if refresh.MatchString(code.Message()) {
			t.Errorf("%s: %q", code, code.Message())
		}
	}
	for status := 400; status < 600; status++ {
		if refresh.MatchString(StatusText(status)) {
			t.Errorf("%d: %q", status, StatusText(status))
		}
	}
}

func TestACodeOutsideTheSetIsInternal(t *testing.T) {
	for _, code := range []Code{codeCount, 255} {
		if code.String() != "internal" || code.Status() != 500 || code.Policy() != "" {
			t.Errorf("code %d is %s, %d", uint8(code), code, code.Status())
		}
	}
}

func TestRefusalsNameTheirRule(t *testing.T) {
	want := map[Code]string{
		RateLimitedIP: "per_ip", RateLimitedKey: "per_key",
		IdenticalMessages: "identical", ConsecutiveMessages: "consecutive",
	}
	for _, code := range Codes() {
		if code.Policy() != want[code] {
			t.Errorf("%s: policy %q, want %q", code, code.Policy(), want[code])
		}
	}
}

func TestEveryErrorStatusHasAText(t *testing.T) {
	f := func(status int, want string) {
		t.Helper()
		if got := StatusText(status); got != want {
			t.Errorf("StatusText(%d) = %q, want %q", status, got, want)
		}
	}
	f(404, "Not Found")
	f(422, "Unprocessable Content")
	f(499, "Client Closed Request")
	f(498, "Client Error")
	f(598, "Network Read Timeout")
	f(597, "Server Error")
	f(999, "Server Error")

	for status := range 1000 {
		if text := StatusText(status); text == "" || needsEscaping(text) || len(text) > 60 {
			t.Errorf("StatusText(%d) = %q", status, text)
		}
	}
}

func needsEscaping(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' })
}
