package e2e

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

// knownDifference is one that was looked at and is wanted. Its three sentences are a
// row of docs/wire-differences.md.
type knownDifference struct {
	what    string // the gateway
	gos     string // Go's ReverseProxy
	why     string
	pattern *regexp.Regexp // of `case: difference`
}

// known is the index of the first known difference that fits; -1 for none.
func known(c *wireCase, d string) int {
	for k := range knownDifferences {
		if knownDifferences[k].pattern.MatchString(c.name + ": " + d) {
			return k
		}
	}
	return -1
}

func row(pattern, what, gos, why string) knownDifference {
	return knownDifference{what, gos, why, regexp.MustCompile("(?s)" + pattern)}
}

// differencesPage is the document that signs the differences off.
const differencesPage = "../docs/wire-differences.md"

var update = flag.Bool("update", false, "write the table of "+differencesPage+" anew")

func TestTheDifferencesFromGosReverseProxyAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(differencesPage)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(page), tableHead)
	want := head + tableHead + differencesTable()
	if *update {
		if err := os.WriteFile(differencesPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !ok || string(page) != want {
		t.Errorf("%s is not what knownDifferences says: go test ./e2e -run Documented -update writes it anew", differencesPage)
	}
}

const tableHead = "| the gateway | Go's ReverseProxy | why |\n|---|---|---|\n"

func differencesTable() string {
	var b strings.Builder
	for _, d := range knownDifferences {
		b.WriteString("| " + d.what + " | " + d.gos + " | " + d.why + " |\n")
	}
	return b.String()
}

const (
	refusesWhatGoForwards = `outcome: ours "0 arrive, 400", Go's "1 arrive, 200"`
	bothRefuse            = `outcome: ours "0 arrive, \d+", Go's "[01] arrive, `
)

// knownDifferences is every difference there may be. The first that fits counts.
var knownDifferences = []knownDifference{
	// what a request must be
	row(`^ambiguous: (length and chunks|chunks and length|two equal lengths): `+refusesWhatGoForwards,
		"400 for Content-Length beside Transfer-Encoding, and for two equal Content-Length", "drops one of them and forwards",
		"two parsers could see two different requests; no honest client needs it"),
	row(`^ambiguous: (a bare LF|a folded line|an underscore): `+refusesWhatGoForwards,
		"400 for a header line that ends in a bare LF, is folded, or has `_` in its name", "mends the first two and forwards all",
		"other parsers read such lines differently; behind CGI-like gateways `_` is `-`"),
	row(`^ambiguous: two (types|credentials|encodings|expectations): `+refusesWhatGoForwards,
		"400 for two Content-Type, Authorization, Content-Encoding or Expect", "forwards both",
		"the rules would judge one and the upstream might obey the other"),
	row(`^claim X-(HTTP-)?Method-Override: .*`+refusesWhatGoForwards,
		"400 for `X-HTTP-Method-Override` and its kin", "forwards them",
		"they hide the method from the rules"),
	row(`^odd target .*: `+refusesWhatGoForwards,
		"400 for a target with a backslash, a fragment, `%00`, a broken `%`, bytes beyond ASCII, userinfo, another host than Host, or another scheme than HTTP", "forwards it, in another spelling or by its path alone",
		"what was judged must be what is served; Node.js closes the connection on some of them, and under Fastify without a word, so that another client's request is lost on it"),
	row(`^host (empty|with a comma): `+refusesWhatGoForwards,
		"400 for a Host that names no host", "forwards the request under the upstream's name",
		"links and X-Forwarded-Host are made of it"),
	row(`^\d+ lines: outcome: ours "0 arrive, 431", Go's "1 arrive, 200"`,
		"431 for more than 100 header lines or 16 KiB of them", "takes 1 MiB",
		"`listen.max_header_bytes`; memory per connection is bounded"),
	row(`^other method .*: outcome: ours "0 arrive, 405", Go's "1 arrive, 200"`,
		"405 for a method that ChatShipper does not have", "forwards any method",
		"ChatShipper's documentation; `methods.allow` and `methods.exceptions` open more"),
	row(`^version HTTP/1\.[29]: outcome: ours "0 arrive, 505", Go's "1 arrive, 200"`,
		"505 for anything but HTTP/1.0 and 1.1", "takes any HTTP/1.x",
		"no such version exists"),
	row(`^Expect: : outcome: ours "0 arrive, 417", Go's "1 arrive, 200"`,
		"417 for an empty Expect", "ignores it",
		"417 for whatever is not `100-continue`"),
	row(`^ambiguous: (coding .*|an empty coding): outcome: ours "0 arrive, 400", Go's "0 arrive, 501"`,
		"400 for any Transfer-Encoding but one `chunked`", "501", "both refuse; the connection is closed either way"),
	row(`^ambiguous: (.*chunk.*): outcome: ours "0 arrive, 400", Go's "[01] arrive, 502`,
		"400 for a chunked body that is none, before anything is sent upstream", "502, when the request is on its way",
		"a guarded body is read before it is forwarded, and the fault is the client's"),
	row(`^leading blank lines: outcome: ours "1 arrive, 200", Go's "0 arrive, 400"`,
		"skips an empty line before a request", "400", "RFC 9112, section 2.2, asks for it"),
	row(`^OPTIONS of the server: outcome: ours "1 arrive, 200", Go's "0 arrive, 200"`,
		"forwards `OPTIONS *`", "answers it itself", "the upstream knows what it allows"),
	// what goes upstream
	row(`: (request|answer) field( name)? x-request-id: `,
		"sends an X-Request-ID of its own upstream and to the client", "knows none", "the log line of a request can be found; a stranger's is not believed"),
	row(`^target .*[{}|^<>"`+"`"+`].*: request line: `,
		"forwards the target byte for byte", "percent-encodes `{`, `}`, `\\|`, `^`, `` ` ``, `<`, `>` and `\"` in the path", "what was judged is what is served"),
	row(`^target /v2/t\?.*;.*: request line: `,
		"forwards a query with `;` as it is", "drops its parts with `;`", "the query belongs to the upstream; the gateway reads nothing of it"),
	row(`: request framing: ours "length", Go's "chunked"`,
		"sends a chunked request body up to `upstream.stream_above` with a Content-Length", "sends it in chunks", "it is whole before it is forwarded"),
	row(` with an empty body: request framing: ours "length", Go's "none"`,
		"keeps `Content-Length: 0`", "drops it where the method needs none", "the client's own words"),
	row(`: (request|answer) (field trailer|trailers): `,
		"drops trailers", "forwards them", "RFC 9110, section 6.5.1; nothing after the body was judged"),
	row(`^hop .*: request field (upgrade|connection|http2-settings): ours "\[\]", Go's `,
		"forwards Upgrade for a WebSocket only", "for anything, h2c included", "requests in an h2c tunnel would pass all rules by"),
	row(`: request field te: ours "\[\]", Go's .*trailers`,
		"drops `TE: trailers`", "forwards it", "trailers are dropped"),
	row(`^Expect: .*: request field expect: ours "\[\]", Go's `,
		"answers `Expect: 100-continue` itself", "forwards it as well", "the body is read before the upstream is asked"),
	row(`hop Connection: (Authorization|Cookie|Content-Type).*: (request|answer) field (authorization|cookie|content-type): ours .*, Go's `,
		"keeps Authorization, Cookie and Content-* although Connection nominates them", "drops them", "the rules have judged the request by them, and the client reads the body by them"),
	row(`: request field (x-real-ip|true-client-ip|x-forwarded-(port|prefix|server)): ours "\[\]", Go's `,
		"drops X-Real-IP, True-Client-IP and every X-Forwarded-* of a stranger", "drops X-Forwarded-For, -Host and -Proto", "an upstream may believe them"),
	row(`^field User-Agent:: request field user-agent: ours .*, Go's "\[\]"`,
		"keeps an empty User-Agent", "drops it", "the client's own words"),
	row(`Pragma: no-cache.*: (request|answer) field cache-control: ours "\[\]", Go's `,
		"leaves Pragma alone", "adds `Cache-Control: no-cache` to it", "nothing is added in another's name"),
	// what comes back
	row(`^unasked 101 .*: answer`,
		"502 for a 101 that nobody asked for", "502 without a body", "the connection is no HTTP any more"),
	row(`^cut off: .*: answer: ours "502", Go's "(0, no answer|200, cut off)"`,
		"502 for an answer that breaks off before any of it was passed on", "breaks off as well, after a 200", "nothing that looks like a success may be half of one"),
	row(`^(answer (with|of)|odd status|odd framing|odd version) .*: answer: ours "502", Go's "(200|600|999)`,
		"502 for an answer with a folded line, a bare LF or a space before a colon, over 32 KiB of header, a status from 600 on, Content-Length beside Transfer-Encoding, or another version than 1.0 and 1.1", "mends it and passes it on",
		"two parsers could see two different answers"),
	row(`^(cut off: |answer with|odd status|odd framing|odd version).*: answer (body: ours "{\\"message\\":\\"The ChatShipper API|framing: |field content-(type|length): ours .*, Go's "\[\]")`,
		"says in JSON that the answer could not be understood", "502 without a body", "every error is JSON with a message"),
	row(`^foreign error .*: answer (body|framing|field content-type|field content-length): `,
		"rewrites an error without a JSON message", "passes it on", "every error is JSON with a message"),
	row(`^error (429|503) .*: answer field retry-after: `,
		"adds Retry-After to a 429 or 503 without one", "passes it on", "ChatShipper's documentation says to try again"),
	row(`^origin in .*: answer field (link|location): `,
		"points Link and Location that name the upstream at itself", "passes them on", "the SDK follows them with its token, past the gateway"),
	row(`: answer field( name)? (x-)?ratelimit`,
		"writes RateLimit and X-RateLimit-* of its own rules", "passes the upstream's on", "they say what the client will meet first"),
	row(`: interim answers: ours "\[\]", Go's `,
		"keeps answers of 1xx to itself", "passes them on", "RFC 9110, section 15.2, allows it; many clients can't read them"),
	row(`^bodiless 304 .*: answer field content-length: ours .*, Go's "\[\]"`,
		"keeps the Content-Length of a 304", "drops it", "RFC 9110, section 8.6: it is that of the answer to a GET"),
	row(`^(odd framing by the end|bodiless 205).*: answer (field connection|framing): ours "(until close|\[\\"close)`,
		"ends with the connection an answer that ended with the connection", "sends it in chunks, as if it were whole", "nobody can tell whether it was cut off, and the client is not told that it was not"),
	row(`: answer line: ours "HTTP/1.1 \d+ [^"]*", Go's "HTTP/1.1 `,
		"writes its own text behind the status", "writes Go's", "the text means nothing (RFC 9112, section 4)"),
	row(`^version HTTP/1\.0.*: answer (line|field connection|framing): `,
		"answers an HTTP/1.0 client in HTTP/1.1, with a length", "in HTTP/1.0", "RFC 9110, section 6.2: the version is that of the sender"),
	row(`^framed .*: answer framing: ours "length", Go's "chunked"`,
		"sends a small answer whole, with a Content-Length", "in chunks as it came", "an answer that breaks off can still become a 502"),
	row(`: answer field content-type: ours "\[\]", Go's .*charset=utf-8`,
		"adds no Content-Type", "guesses one", "nothing is added in another's name"),
	row(`: (request|answer) field name [^ ]+: `,
		"keeps the spelling of header names", "writes them in canonical case", "they mean the same; some clients compare bytes"),
}
