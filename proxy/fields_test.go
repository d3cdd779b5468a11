package proxy

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func parseBlock(t *testing.T, block string) (*fields, problem) {
	t.Helper()
	f := new(fields)
	return f, f.parse([]byte(block), nil, []byte("Authorization"))
}

func TestHeaderBlockAccepted(t *testing.T) {
	accepts := func(block string) {
		t.Helper()
		if _, p := parseBlock(t, block); p != "" {
			t.Errorf("%q is refused: %s", block, p)
		}
	}
	accepts("\r\n")
	accepts("Host: a\r\n\r\n")
	accepts("Host: a\r\nContent-Length: 003\r\n\r\n")
	accepts("Host: a\r\nTransfer-Encoding: Chunked\r\n\r\n")
	accepts("X-Empty:\r\nX-Tabs:\t a \t\r\n\r\n")
	accepts("X: caf\xe9\r\nX: twice\r\n\r\n")
	accepts("X: X\tTransfer-Encoding: chunked\r\n\r\n")
}

func TestAmbiguousHeaderBlockRefused(t *testing.T) {
	refuses := func(block string, want problem) {
		t.Helper()
		if _, p := parseBlock(t, block); p != want {
			t.Errorf("%q: got %q, want %q", block, p, want)
		}
	}
	refuses("X: 1\nTransfer-Encoding: chunked\r\n\r\n", badLine)
	refuses("X: 1\r\n\tY: 2\r\n\r\n", badFold)
	refuses("X: 1\r\n Y: 2\r\n\r\n", badFold)
	refuses("Transfer Encoding: chunked\r\n\r\n", badName)
	refuses("Content-Length : 3\r\n\r\n", badName)
	refuses("Transfer_Encoding: chunked\r\n\r\n", badName)
	refuses("X_Forwarded_For: 192.0.2.1\r\n\r\n", badName)
	refuses(": nameless\r\n\r\n", badLine)
	refuses("no colon\r\n\r\n", badLine)
	refuses("X: a\x00b\r\n\r\n", badValue)
	refuses("X: a\rb\r\n\r\n", badValue)
	refuses("Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n", badDuplicate)
	refuses("Content-Type: a/b\r\nContent-type: c/d\r\n\r\n", badDuplicate)
	refuses("Host: a\r\nHost: a\r\n\r\n", badDuplicate)
	refuses("Content-Length: 3\r\nContent-Length: 3\r\n\r\n", badDuplicate)
	refuses("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", badDuplicate)
	refuses("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n", badFraming)
	refuses("Transfer-Encoding: identity\r\n\r\n", badFraming)
	refuses("Transfer-Encoding: gzip, chunked\r\n\r\n", badFraming)
	refuses("Transfer-Encoding: chunked, chunked\r\n\r\n", badFraming)
	refuses("Content-Length: +3\r\n\r\n", badLength)
	refuses("Content-Length: 0x3\r\n\r\n", badLength)
	refuses("Content-Length: 3, 3\r\n\r\n", badLength)
	refuses("Content-Length: 99999999999999999999\r\n\r\n", badLength)
	refuses("X-HTTP-Method-Override: PUT\r\n\r\n", badOverride)
	refuses(strings.Repeat("X: 1\r\n", 101)+"\r\n", tooMany)
}

func TestConnectionNominatesFields(t *testing.T) {
	f, p := parseBlock(t, "Connection: , close, X-Secret, accept, Authorization, cookie, X-Forwarded-For, Content-Language\r\n"+
		"X-Secret: 1\r\nAccept: text/html\r\nAuthorization: Bearer t\r\nCookie: c=1\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Language: en\r\n\r\n")
	if p != "" {
		t.Fatal(p)
	}
	f.dropNominated()
	for i := range f.n {
		if x := &f.list[i]; x.drop != (string(x.name) == "X-Secret" || string(x.name) == "Accept") {
			t.Errorf("%s: dropped %v", x.name, x.drop)
		}
	}
}

func TestCredentialHeaderCanBeRenamed(t *testing.T) {
	var f fields
	f.parse([]byte("X-Api-Key: k\r\n\r\n"), nil, []byte("X-Api-Key"))
	if got := string(f.get(fieldCredential)); got != "k" {
		t.Errorf("credential %q, want k", got)
	}
}

// Whoever knows where some of the lines end reads the same.
func FuzzHeaderBlock(f *testing.F) {
	f.Add([]byte("Host: a\r\nContent-Length: 3\r\n\r\n"), 2)
	f.Add([]byte("X: 1\r\n Y: 2\r\n\r\n"), 1)
	f.Fuzz(func(t *testing.T, block []byte, known int) {
		var x, y fields
		p := x.parse(block, nil, []byte("Authorization"))
		var ends []uint16
		for i, c := range block[:min(len(block), math.MaxUint16)] {
			if c == '\n' && len(ends) < known {
				ends = append(ends, uint16(i+1))
			}
		}
		if again := y.parse(block, ends, []byte("Authorization")); again != p || y.n != x.n {
			t.Fatalf("%d fields, %q; with the ends of the lines %d, %q", x.n, p, y.n, again)
		}
		for i := range x.n {
			name, value := x.list[i].name, x.list[i].value
			if !bytes.Equal(name, y.list[i].name) || !bytes.Equal(value, y.list[i].value) {
				t.Errorf("field %q: %q; with the ends of the lines %q: %q", name, value, y.list[i].name, y.list[i].value)
			}
			if len(name) == 0 || bytes.ContainsFunc(name, func(r rune) bool { return r > 0x7f || !tokenBytes[byte(r)] }) || bytes.ContainsAny(value, "\r\n\x00") {
				t.Errorf("accepted field %q: %q", name, value)
			}
		}
	})
}
