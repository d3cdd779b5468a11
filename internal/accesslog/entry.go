package accesslog

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// Entry is what one request leaves in the log. Callers, addresses, bots and
// conversations are keyed digests, so that none of them can be written in
// clear, but for Client, which is not written unless the operator wants it; there
// is no field for a path, a header or a text. Members that are empty or 0 are left
// out where the comment says so.
type Entry struct {
	Time      int64  // nanoseconds since 1970, when the request began
	RequestID []byte // X-Request-Id
	Method    string // the method's label: GET, POST, … or other
	Route     string // the route's label, never the path
	Status    int    // of the answer that the client got
	Source    string // gateway or upstream: who made the answer

	Code     string // error code of an answer of ours; may be empty
	Rule     string // the rule that decided; may be empty
	Decision string // admitted, refused or would_refuse; may be empty
	Shadow   string // the candidate, beside the rules, that would have refused; may be empty

	Key          digest.ID // API key; zero is left out, as for the next three
	IP           digest.ID // client address
	Bot          digest.ID
	Conversation digest.ID // of the first message
	Role         string    // bot or human; may be empty
	Messages     int       // that the request creates; 0 is left out
	Content      digest.ID // of its only message; zero is left out
	Reply        int64     // nanoseconds since 1970 at which a reply to a bot was written; 0 is left out

	BytesIn  int64 // body of the request
	BytesOut int64 // body of the answer
	Duration int64 // nanoseconds from the first byte to the last
	Overhead int64 // nanoseconds of them that neither the client's sending nor the upstream took; 0 is left out
	Upstream int64 // nanoseconds of them spent on the upstream; 0 is left out

	Limit      int           // of the rule that refused; 0 is left out
	Window     time.Duration // of the rule that refused; 0 is left out
	RetryAfter int           // seconds; 0 is left out
	TraceID    []byte        // may be empty

	Client netip.Addr // written only when Options.ClientIP asks for it; may be invalid

	oneIn int // how many requests the line stands for; 0 is left out
}

// timeLayout is RFC 3339 with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// writeTo writes the entry as the one line that l holds.
func (e *Entry) writeTo(l *line) {
	l.open()
	l.name("time")
	l.b = appendTime(l.b, e.Time, l.format)
	l.word("level", e.level())
	l.word("msg", "request")
	text(l, "request_id", e.RequestID)
	text(l, "method", e.Method)
	text(l, "route", e.Route)
	l.number("status", int64(e.Status))
	text(l, "source", e.Source)
	e.appendDecision(l)
	e.appendWho(l)
	e.appendCost(l)
	l.close()
}

// level is WARN for an answer that says that something is broken.
func (e *Entry) level() string {
	if e.Status >= 500 {
		return "WARN"
	}
	return "INFO"
}

func (e *Entry) appendDecision(l *line) {
	optional(l, "code", e.Code)
	optional(l, "rule", e.Rule)
	optional(l, "decision", e.Decision)
	optional(l, "shadow", e.Shadow)
	l.optionalNumber("limit", int64(e.Limit))
	if e.Window != 0 {
		l.word("window", e.Window.String())
	}
	l.optionalNumber("retry_after", int64(e.RetryAfter))
}

func (e *Entry) appendWho(l *line) {
	l.digest("key", e.Key)
	l.digest("ip", e.IP)
	l.digest("bot", e.Bot)
	l.digest("conversation", e.Conversation)
	if l.clientIP && e.Client.IsValid() {
		l.address("client_ip", e.Client)
	}
	optional(l, "role", e.Role)
	l.optionalNumber("messages", int64(e.Messages))
	l.digest("content", e.Content)
	if e.Reply != 0 {
		l.name("reply")
		l.b = appendTime(l.b, e.Reply, l.format)
	}
	optional(l, "trace_id", e.TraceID)
}

func (e *Entry) appendCost(l *line) {
	l.number("bytes_in", e.BytesIn)
	l.number("bytes_out", e.BytesOut)
	l.milliseconds("duration_ms", e.Duration)
	if e.Overhead != 0 {
		l.milliseconds("overhead_ms", e.Overhead)
	}
	if e.Upstream != 0 {
		l.milliseconds("upstream_ms", e.Upstream)
	}
	l.optionalNumber("one_in", int64(e.oneIn))
}

func appendTime(dst []byte, ns int64, format Format) []byte {
	t := time.Unix(0, ns).UTC()
	if format == Text {
		return t.AppendFormat(dst, timeLayout)
	}
	dst = append(dst, '"')
	dst = t.AppendFormat(dst, timeLayout)
	return append(dst, '"')
}

// appendMilliseconds writes nanoseconds as milliseconds with three decimals. A
// negative span, which only a clock that was set back can give, is 0.
func appendMilliseconds(dst []byte, ns int64) []byte {
	us := max(ns, 0) / 1000
	dst = strconv.AppendInt(dst, us/1000, 10)
	us %= 1000
	return append(dst, '.', byte('0'+us/100), byte('0'+us/10%10), byte('0'+us%10))
}
