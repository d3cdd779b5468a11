package accesslog

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/chatshipper/gateway/internal/digest"
)

var start = time.Date(2026, 11, 22, 23, 18, 0, 123456789, time.UTC).UnixNano()

func refused() Entry {
	return Entry{
		Time: start, RequestID: []byte("01JDB3"), Method: "POST", Route: "messages", Status: 429, Source: "gateway",
		Code: "identical_messages", Rule: "identical", Decision: "refused", Shadow: "per_ip_shadow",
		Key: digest.ID{Hi: 0x0102030405060708}, IP: digest.ID{Lo: 1},
		Bot: digest.ID{Hi: math.MaxUint64}, Conversation: digest.ID{Hi: 0xabcdef0000000000},
		Role: "bot", Messages: 1, Content: digest.ID{Hi: 0x1234560000000000}, Reply: start + int64(time.Second),
		BytesIn: 300, BytesOut: 170, Duration: 1_234_567, Overhead: 35_000, Upstream: 999,
		Limit: 8, Window: 3 * time.Minute, RetryAfter: 171, TraceID: []byte("4bf92f"),
	}
}

func written(e *Entry, format Format) []byte {
	l := line{format: format}
	e.writeTo(&l)
	return l.b
}

func TestALineHoldsWhatAnOperatorLooksFor(t *testing.T) {
	f := func(e Entry, format Format, want string) {
		t.Helper()
		if diff := cmp.Diff(want+"\n", string(written(&e, format))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	f(refused(), JSON, `{"time":"2026-11-22T23:18:00.123Z","level":"INFO","msg":"request","request_id":"01JDB3","method":"POST","route":"messages","status":429,"source":"gateway",`+
		`"code":"identical_messages","rule":"identical","decision":"refused","shadow":"per_ip_shadow","limit":8,"window":"3m0s","retry_after":171,`+
		`"key":"010203040506","ip":"000000000000","bot":"ffffffffffff","conversation":"abcdef000000","role":"bot","messages":1,"content":"123456000000","reply":"2026-11-22T23:18:01.123Z","trace_id":"4bf92f",`+
		`"bytes_in":300,"bytes_out":170,"duration_ms":1.234,"overhead_ms":0.035,"upstream_ms":0.000}`)
	f(refused(), Text, `time=2026-11-22T23:18:00.123Z level=INFO msg=request request_id=01JDB3 method=POST route=messages status=429 source=gateway `+
		`code=identical_messages rule=identical decision=refused shadow=per_ip_shadow limit=8 window=3m0s retry_after=171 `+
		`key=010203040506 ip=000000000000 bot=ffffffffffff conversation=abcdef000000 role=bot messages=1 content=123456000000 reply=2026-11-22T23:18:01.123Z trace_id=4bf92f `+
		`bytes_in=300 bytes_out=170 duration_ms=1.234 overhead_ms=0.035 upstream_ms=0.000`)
}

func TestWhatIsUnknownIsLeftOut(t *testing.T) {
	e := Entry{Status: 503, Duration: 12 * int64(time.Second)}
	want := `{"time":"1970-01-01T00:00:00.000Z","level":"WARN","msg":"request","request_id":"","method":"","route":"","status":503,"source":"","bytes_in":0,"bytes_out":0,"duration_ms":12000.000}` + "\n"
	if diff := cmp.Diff(want, string(written(&e, JSON))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestDurationsAreMillisecondsWithMicroseconds(t *testing.T) {
	f := func(ns int64, want string) {
		t.Helper()
		if got := string(appendMilliseconds(nil, ns)); got != want {
			t.Errorf("%d ns: %s, want %s", ns, got, want)
		}
	}
	f(-1, "0.000")
	f(999, "0.000")
	f(1000, "0.001")
	f(20_050_999, "20.050")
	f(math.MaxInt64, "9223372036854.775")
}

func TestAStrangersBytesCannotForgeALine(t *testing.T) {
	f := func(id string, format Format, want string) {
		t.Helper()
		e := Entry{RequestID: []byte(id)}
		got := string(written(&e, format))
		if !strings.Contains(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%q: got %q, want %q in it", id, got, want)
		}
	}
	f("a\"b\\\n\x00\x7f", JSON, `"request_id":"a\"b\\\u000a\u0000\u007f",`)
	f("\u009b31m\u2028\u2029é\xff€", JSON, `"request_id":"\u009b31m\u2028\u2029é�€",`)
	f("\xf0\x9f\x98\x80\xf0\x9f", JSON, `"request_id":"😀��",`)
	f("a b=c\n", Text, ` request_id="a b=c\u000a" `)
	f("", Text, ` request_id="" `)
	f("é", Text, ` request_id="é" `)
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte("id\xff\""), "GET\n", "=", int64(1), -1)
	f.Add([]byte("\u2028\u009b"), "", "a b", int64(math.MinInt64), 500)
	f.Fuzz(func(t *testing.T, id []byte, method, code string, ns int64, status int) {
		e := Entry{
			Time: ns, RequestID: id, Method: method, Route: code, Status: status, Source: method, Code: code,
			Rule: code, Decision: method, TraceID: id, BytesIn: ns, Duration: ns, Overhead: ns, Upstream: ns,
			Window: time.Duration(ns), Limit: status, Key: digest.ID{Hi: uint64(ns)},
		}
		b := written(&e, JSON)
		var got struct {
			ID     string  `json:"request_id"`
			Code   string  `json:"code"`
			Status int     `json:"status"`
			Time   string  `json:"time"`
			MS     float64 `json:"duration_ms"`
		}
		if err := json.Unmarshal(b, &got); err != nil || strings.Count(string(b), "\n") != 1 || !utf8.Valid(b) {
			t.Fatalf("%s: %q", err, b)
		}
		if got.ID != strings.ToValidUTF8(string(id), "") && utf8.Valid(id) || got.Status != status || (utf8.ValidString(code) && got.Code != code) {
			t.Fatalf("%+v does not say what was logged: %q", got, b)
		}
		if _, err := time.Parse(time.RFC3339, got.Time); err != nil {
			t.Fatal(err)
		}
		if b := written(&e, Text); strings.Count(string(b), "\n") != 1 {
			t.Fatalf("more than one line: %q", b)
		}
	})
}
