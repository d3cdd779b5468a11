package identity

import (
	"bytes"
	"strings"
	"testing"
)

func TestCredentialIsTheSecondWord(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		if got := string(Credential([]byte(value))); got != want {
			t.Errorf("Credential(%q) = %q, want %q", value, got, want)
		}
	}
	f("Bearer abc", "abc")
	f("bearer abc", "abc")
	f("BEARER abc", "abc")
	f("bEaReR\tabc", "abc")
	f("  Bearer \t  abc \t ", "abc")
	f("Bearer abc def", "abc")
	f("Bearer abc\xa0", "abc") // Node.js reads header values as Latin-1, where this is white space
	f("Bearer\xa0abc", "abc")
	f("Bearer \xc2\xa0abc\xc2\xa0", "abc")
	f("Bearer abc\x7f", "abc")
	f("Bearer a.b-c_d~e+f/g==", "a.b-c_d~e+f/g==")
	f("Bearer "+strings.Repeat("x", 5000), strings.Repeat("x", 5000))

	f("xBearer abc", "abc")
	f("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz")
	f("Token abc", "abc")
	f("abc", "abc")
	f(" abc ", "abc")
	f("Bearerabc", "Bearerabc")
	f("Bear", "Bear")
	f("Bearar", "Bearar")
}

func TestCredentialIsMissing(t *testing.T) {
	f := func(value string) {
		t.Helper()
		if got := Credential([]byte(value)); got != nil {
			t.Errorf("Credential(%q) = %q, want none", value, got)
		}
	}
	f("")
	f(" \t ")
	f("Bearer")
	f("bearer ")
	f(" BEARER \t")
	f("Bearer \xa0")
	if Credential(nil) != nil {
		t.Error("no header at all must be no key")
	}
}

func TestVisibleStopsAtEveryOtherByte(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			b := bytes.Repeat([]byte{'~'}, 20)
			b[at] = byte(c)
			want := at
			if c >= '!' && c <= '~' {
				want = len(b)
			}
			if got := visible(b); got != want {
				t.Fatalf("byte 0x%02x at %d: visible = %d, want %d", c, at, got, want)
			}
		}
	}
}

func FuzzCredential(f *testing.F) {
	for _, seed := range []string{"", "Bearer abc", "bearer", "Bearer  a b", "Basic dXNlcjpwYXNz", "abc", "\xa0Bearer\tabc\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		words := bytes.FieldsFunc(latin1(value), func(r rune) bool { return r < '!' || r > '~' })
		var want []byte
		switch {
		case len(words) > 1:
			want = words[1]
		case len(words) == 1 && !strings.EqualFold(string(words[0]), "bearer"):
			want = words[0]
		}
		if got := Credential(value); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Fatalf("Credential(%q) = %q, want %q", value, got, want)
		}
	})
}

// latin1 writes each byte as a rune of its own.
func latin1(b []byte) []byte {
	var text []byte
	for _, c := range b {
		text = append(text, string(rune(c))...)
	}
	return text
}
