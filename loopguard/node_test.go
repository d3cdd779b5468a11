package loopguard

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/chatshipper/gateway/internal/digest"
)

// oracle is one long-lived Node.js process that reads bodies with JSON.parse.
type oracle struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func startOracle(t *testing.T) *oracle {
	t.Helper()
	cmd := exec.Command("node", "testdata/oracle.js")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test compares with Node.js, which has to be installed: %v", err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("node: %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	return &oracle{t: t, in: in, out: lines}
}

// ask returns what Node.js makes of each body. It writes and reads in turns of
// bounded size, so that neither pipe can fill up.
func (o *oracle) ask(bodies []string) (answers []string) {
	const turn = 64
	for len(bodies) > 0 {
		n := min(turn, len(bodies))
		for _, body := range bodies[:n] {
			if _, err := fmt.Fprintln(o.in, base64.StdEncoding.EncodeToString([]byte(body))); err != nil {
				o.t.Fatal(err)
			}
		}
		for range n {
			if !o.out.Scan() {
				o.t.Fatalf("node stopped answering: %v", o.out.Err())
			}
			answers = append(answers, o.out.Text())
		}
		bodies = bodies[n:]
	}
	return answers
}

// agreement checks that two ways of naming things name the same things: equal
// names on one side are equal on the other.
type agreement struct {
	ours   map[string]digest.ID
	theirs map[digest.ID]string
}

func newAgreement() *agreement {
	return &agreement{ours: map[string]digest.ID{}, theirs: map[digest.ID]string{}}
}

func (a *agreement) holds(theirs string, ours digest.ID) bool {
	o, seenTheirs := a.ours[theirs]
	s, seenOurs := a.theirs[ours]
	a.ours[theirs], a.theirs[ours] = ours, theirs
	return (!seenTheirs || o == ours) && (!seenOurs || s == theirs)
}

func TestBodiesAreReadAsNodeReadsThem(t *testing.T) {
	o := startOracle(t)
	r := NewReader(DefaultConfig(), digest.NewHasher("node"))
	contents, places := newAgreement(), newAgreement()
	accepted := 0
	bodies := generatedBodies(rand.New(rand.NewPCG(1, 2)), 9_000)
	bodies = append(bodies, corpus()...)
	var batch Batch
	for i, answer := range o.ask(bodies) {
		err := r.Read(&batch, []byte(bodies[i]), nil)
		if (err == nil) != (answer != "error") {
			t.Errorf("%q: node says %.9s, we say %v", bodies[i], answer, err)
			continue
		}
		if err != nil {
			continue
		}
		accepted++
		theirs := strings.Fields(answer)[1:]
		if len(theirs) != len(batch.Messages) {
			t.Errorf("%q: node reads %d messages, we read %d", bodies[i], len(theirs), len(batch.Messages))
			continue
		}
		for j, m := range batch.Messages {
			part := strings.Split(theirs[j], ":")
			if !contents.holds(part[0], m.Content) || !places.holds(part[2], m.Conversation) || part[1] != fmt.Sprint(m.Contact) {
				t.Errorf("%q: message %d is not what node reads: %s, %+v", bodies[i], j, theirs[j], m)
			}
		}
	}
	t.Logf("%d bodies, %d accepted by both, %d different contents", len(bodies), accepted, len(contents.ours))
	if refused := len(bodies) - accepted; accepted < 2500 || refused < 2500 {
		t.Errorf("the bodies say little: %d accepted, %d refused", accepted, refused)
	}
}

// generatedBodies is messages in many spellings, and what single wrong bytes
// make of them.
func generatedBodies(rng *rand.Rand, n int) []string {
	var bodies []string
	for len(bodies) < n {
		v := randomMessage(rng)
		body := spell(rng, v)
		switch rng.IntN(4) {
		case 0:
			body = "[" + body + "," + spell(rng, v) + "]"
		case 1:
			body = "\uFEFF" + body
		}
		bodies = append(bodies, body, spell(rng, v), damage(rng, body))
	}
	return bodies
}

// damage changes a few bytes, mostly into others that mean something in JSON.
func damage(rng *rand.Rand, body string) string {
	const meaningful = "{}[]\":,\\u0123456789abcdefDdEe+-.trnlfsu \t\n\r\x00\x1f\x7f\x80\xff/"
	b := []byte(body)
	for range 1 + rng.IntN(2) {
		at := rng.IntN(len(b))
		c := meaningful[rng.IntN(len(meaningful))]
		switch rng.IntN(3) {
		case 0:
			b[at] = c
		case 1:
			b = append(b[:at], append([]byte{c}, b[at:]...)...)
		case 2:
			b = append(b[:at], b[at+1:]...)
		}
		if len(b) == 0 {
			break
		}
	}
	return string(b)
}

// corpus is bodies that parsers are known to disagree about, each alone and as a
// value, a key and an element.
func corpus() []string {
	bodies := []string{
		"", " ", "\uFEFF", "\uFEFF\uFEFF{}", "\uFEFF {}", " \uFEFF{}", "{}{}", "{} x", "{}\x00", "{},", "[]", "[[]]", "[{}]", "[{},{}]",
		"[{},]", "[,{}]", "[{}", "{", "}", "[", "]", `{"a":1,}`, `{,"a":1}`, `{"a" 1}`, `{"a":}`, `{a:1}`, `{'a':1}`, `{"a":1 "b":2}`,
		`{"a":1}//`, `/**/{}`, `{"a":1}#`, "\v{}", "\f{}", "\u00a0{}", "\u2028{}", "\u0085{}", "{}\u3000", "{\u00a0}", `{"a":1,"a":1}`, `{"a":1,"\u0061":1}`,
		`{"__proto__":1}`, `{"__proto__":{"text":"a"}}`, `{"constructor":1}`, `{"__proto__":1,"__proto__":1}`, `{"1":1,"0":2}`, `{"0":2,"1":1}`,
		`{"\ud800":1,"\ud801":2}`, `{"\ud800":1,"\ud800":2}`, `{"":1}`, `{"":1,"":2}`, `{"text":"a","TEXT":"b"}`, `{"te\u0078t":"a"}`, `{"conversation":"a"}`,
		`{"conversation":"65AA0e00aabbccddeeff0001"}`, `{"conversation":"65aa0e00aabbccddeeff0001"}`, `{"conversation":"65AA0e00aabbccddeeff000G"}`,
		`{"conversation":null}`, `{"conversation":1}`, `{"conversation":{}}`, `{"conversation":[]}`, `{"conversation":true}`, `{"\u0063onversation":"a"}`,
		`{"Conversation":1}`, `{"role":"contact"}`, `{"role":"con\u0074act"}`, `{"role":"Contact"}`, `{"role":["contact"]}`, `{"delay":1}`, `{"delay":1,"delay":1}`,
		`{"meta":{"delay":1}}`, `{"meta":{"conversation":1}}`, "1", `"a"`, "null", "true", "[1]", "[null]", `["a"]`, "[{},1]",
	}
	for _, v := range corpusValues() {
		bodies = append(bodies, v, `{"v":`+v+`}`, `{"v":[`+v+`,`+v+`]}`, `{`+v+`:1}`)
	}
	for _, depth := range []int{30, 31, 32, 33, 40} {
		bodies = append(bodies, `{"v":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`}`,
			`[{"v":`+strings.Repeat(`{"v":`, depth)+"1"+strings.Repeat("}", depth)+`}]`)
	}
	return bodies
}

func corpusValues() []string {
	values := []string{
		"0", "-0", "0.0", "-0.0", "0e0", "-0e-5", "1", "1.0", "1e0", "1E+0", "10e-1", "100", "1e2", "01", "-01", "00", "-", "+1", "1.", ".5", "1.e1",
		"1e", "1e+", "1e1.5", "0x10", "1_000", "Infinity", "-Infinity", "NaN", "1e400", "-1e400", "1e999999999999", "1e-400", "-1e-400", "5e-324", "2e-324", "3e-324",
		"9007199254740991", "9007199254740992", "9007199254740993", "9007199254740993.0", "123456789012345", "1234567890123456", "999999999999999", "-999999999999999",
		"0.1", "0.10000000000000000555", "1.7976931348623157e308", "1.7976931348623159e308", "2.2250738585072011e-308", "12345678901234567890", "12345678901234567890.0", "123456789012345678901e-1",
		"1234567890123456789", "1234567890123456789.0", "-999999999999999999", "-999999999999999999.0", "999999999999999999", "999999999999999999e0",
		strings.Repeat("9", 400), "0." + strings.Repeat("0", 400) + "1", "1" + strings.Repeat("0", 30), "1e30",
		"tru", "truee", "True", "nul", "nulll", "fals", "undefined", "''", "true", "false", "null",
		`""`, `"a"`, `"\u0061"`, `"\/"`, `"/"`, `"\x61"`, `"\a"`, `"\0"`, `"\'"`, `"\u12"`, `"\u123"`, `"\u123g"`, `"\U0061"`, `"\u 061"`, `"\`, `"a`, `"\"`, `"\\"`, `"\u`,
		`"\b\f\n\r\t"`, `"\u0008\u000c\u000a\u000d\u0009"`, "\"\t\"", "\"\n\"", "\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"\u0080\"", "\"\u2028\u2029\"", `"\u2028"`, `"\u0000"`,
		`"\ud800"`, `"\udc00"`, `"\ud801"`, `"\udfff"`, `"\ud800\ud800"`, `"\ud800\udc00"`, `"\uD800\uDC00"`, "\"\U00010000\"", `"\udc00\ud800"`, `"\ud800\ud800\udc00"`,
		`"\ud800x"`, `"\ud800\n"`, `"\ud800\u0061"`, `"\ud800\u00"`, `"\ud800\u`, `"\ufffd"`, "\"\ufffd\"", `"\uffff"`, `"\ufeff"`, "\"\ufeff\"",
		"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\"\xf0\x9f\x98\x80\"", `"\ud83d\ude00"`, "\"é\"", "\"e\u0301\"",
		"[]", "{}", "[ ]", "{ }", "[1,2]", "[2,1]", "[1 2]", "[1,,2]", "[1,]", "[,1]", "[1", `{"a":1,"b":2}`, `{"b":2,"a":1}`, `{"a":{"x":1,"x":1}}`, `{"a":[{"x":1,"x":1}]}`,
		`{"b":[1,{"z":null,"y":{}}],"a":""}`, "{1:1}", "{null:1}", `{"a":1;"b":2}`,
	}
	// Long enough to be read 8 bytes at a time, with the odd byte in every lane.
	for i := range 9 {
		for _, odd := range []string{`\"`, `\\`, "\x1f", "\x7f", "é", `\u0041`, " "} {
			values = append(values, `"`+strings.Repeat("a", i)+odd+strings.Repeat("b", 12)+`"`)
		}
	}
	return values
}
