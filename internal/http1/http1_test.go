package http1

import (
	"bytes"
	"strings"
	"testing"
)

// Every byte, at every place of values of every length up to three words, is
// judged as RFC 9110, section 5.5 does: control characters are out, but the tab.
func TestEveryByteOfAFieldValueIsJudgedWhereverItStands(t *testing.T) {
	for length := 1; length <= 24; length++ {
		for at := range length {
			for c := range 256 {
				value := bytes.Repeat([]byte{'x'}, length)
				value[at] = byte(c)
				want := c == '\t' || c >= ' ' && c != 0x7f
				if got := IsFieldValue(value); got != want {
					t.Fatalf("%#x, %d of %d: got %v, want %v", c, at, length, got, want)
				}
			}
		}
	}
	if !IsFieldValue(nil) {
		t.Error("an empty value is none")
	}
}

// What is fine beside what is not must not hide it, in the same eight bytes.
func TestGoodBytesHideNoBadOnes(t *testing.T) {
	f := func(value string, want bool) {
		t.Helper()
		if got := IsFieldValue([]byte(value)); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
	f("\t\t\t\t\t\t\t\t", true)
	f("\xff\xff\xff\xff\xff\xff\xff\xff", true)
	f("\x80\x00\x80\x80\x80\x80\x80\x80", false)
	f("\t\x7f\t\t\t\t\t\t", false)
	f("~~~~~~~\x7f", false)
	f("        ", true)
	f(" \x1f      ", false)
}

func FuzzFieldValue(f *testing.F) {
	f.Add([]byte("Basic dTpw\x7f and so on"))
	f.Fuzz(func(t *testing.T, value []byte) {
		if got, want := IsFieldValue(value), isFieldValueSlowly(value); got != want {
			t.Errorf("%q: word by word %v, byte by byte %v", value, got, want)
		}
	})
}

func TestTokensAreThoseOfRFC9110(t *testing.T) {
	const allowed = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for c := range 256 {
		if got, want := IsTokenByte(byte(c)), strings.IndexByte(allowed, byte(c)) >= 0; got != want {
			t.Errorf("%#x: got %v, want %v", c, got, want)
		}
	}
}

func TestOnlySpacesAndTabsAreTrimmed(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		if got := string(Trim([]byte(value))); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
	f("", "")
	f(" \t ", "")
	f(" a b\t", "a b")
	f("\va\u00a0", "\va\u00a0")
}
