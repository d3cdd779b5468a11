package rehearse

import (
	"bytes"
	"time"
)

// fields are the members of an access log's object that a replay needs.
type fields struct {
	time, reply, msg, route, status, code, rule, decision []byte
	key, ip, bot, conversation, content, role, messages   []byte
}

// json reads a line of the gateway's own access log, with its members in any
// order and others between them.
func (p *parser) json(text []byte, l *Line) kind {
	var f fields
	if !f.scan(text) {
		return malformed
	}
	if string(f.msg) != "request" {
		return foreign
	}
	var ok bool
	if l.Time, ok = p.rfc3339(f.time); !ok {
		return malformed
	}
	if len(f.reply) > 0 {
		if l.Reply, ok = p.rfc3339(f.reply); !ok {
			return malformed
		}
	}
	p.marks = true
	return l.fill(&f)
}

// fill takes what was found into a line.
func (l *Line) fill(f *fields) kind {
	status, ok := number(f.status)
	messages, ok2 := number(f.messages)
	if !ok || !ok2 || len(f.status) == 0 || messages > maxBatch {
		return malformed
	}
	for _, d := range []struct {
		into *mark
		text []byte
	}{{&l.ip, f.ip}, {&l.key, f.key}, {&l.bot, f.bot}, {&l.conversation, f.conversation}, {&l.content, f.content}} {
		if *d.into, ok = hexadecimal(d.text); !ok {
			return malformed
		}
	}
	l.messages, l.fromBot = int32(messages), string(f.role) == "bot"
	switch string(f.route) {
	case "webhook", "unread":
		l.unlimited = true
	case "conversations":
		l.embedded = true
	}
	if string(f.decision) == Refused {
		l.refused = ruleOf(f.rule)
	}
	l.fate = fateOf(status, f.code, l.refused)
	return readable
}

// maxBatch is more messages than a body of the largest size can hold.
const maxBatch = 100_000_000

func fateOf(status int, code []byte, refused ruleName) fate {
	switch {
	case status >= 200 && status < 300, refused != nobody:
		return created
	case string(code) == "upstream_timeout", string(code) == "upstream_invalid":
		return unclear
	}
	return failed
}

func ruleOf(name []byte) ruleName {
	for r := perIP; r < ruleNames; r++ {
		if string(name) == rules[r] {
			return r
		}
	}
	return nobody
}

// place is where the value of a member goes; nil when nobody needs it.
func (f *fields) place(name []byte) *[]byte {
	switch string(name) {
	case "time":
		return &f.time
	case "reply":
		return &f.reply
	case "msg":
		return &f.msg
	case "route":
		return &f.route
	case "status":
		return &f.status
	case "code":
		return &f.code
	case "rule":
		return &f.rule
	case "decision":
		return &f.decision
	case "key":
		return &f.key
	case "ip":
		return &f.ip
	case "bot":
		return &f.bot
	case "conversation":
		return &f.conversation
	case "content":
		return &f.content
	case "role":
		return &f.role
	case "messages":
		return &f.messages
	}
	return nil
}

// scan finds the members of one flat JSON object. It checks no more of JSON than
// it takes to find them: of nested values and escapes only where they end.
func (f *fields) scan(b []byte) bool {
	if b[len(b)-1] != '}' {
		return false
	}
	for i := skip(b, 1); i < len(b) && b[i] == '"'; {
		name, end := quoted(b, i)
		i = skip(b, end)
		if end < 0 || i >= len(b) || b[i] != ':' {
			return false
		}
		value, end := value(b, skip(b, i+1))
		if end < 0 {
			return false
		}
		if place := f.place(name); place != nil {
			*place = value
		}
		i = skip(b, end)
		switch {
		case i >= len(b):
			return false
		case b[i] == '}':
			return i == len(b)-1
		case b[i] != ',':
			return false
		}
		i = skip(b, i+1)
	}
	return string(b) == "{}"
}

// skip steps over white space.
func skip(b []byte, i int) int {
	for i >= 0 && i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	return i
}

// quoted returns the inside of the string that begins at i, as it is written,
// and where it ends; -1 when it does not.
func quoted(b []byte, i int) (inside []byte, end int) {
	for j := i + 1; ; j++ {
		n := bytes.IndexByte(b[j:], '"')
		if n < 0 {
			return nil, -1
		}
		j += n
		backslashes := 0
		for b[j-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return b[i+1 : j], j + 1
		}
	}
}

// value returns a value without its quotes, and where it ends; -1 when it does
// not.
func value(b []byte, i int) (text []byte, end int) {
	if i >= len(b) {
		return nil, -1
	}
	switch b[i] {
	case '"':
		return quoted(b, i)
	case '{', '[':
		return nested(b, i)
	}
	for j := i; j < len(b); j++ {
		if c := b[j]; c == ',' || c == '}' || c == ' ' {
			return b[i:j], j
		}
	}
	return nil, -1
}

// nested steps over an object or an array.
func nested(b []byte, i int) (text []byte, end int) {
	depth := 0
	for j := i; j < len(b); j++ {
		switch b[j] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return b[i : j+1], j + 1
			}
		case '"':
			_, after := quoted(b, j)
			if after < 0 {
				return nil, -1
			}
			j = after - 1
		}
	}
	return nil, -1
}

// number reads a plain number; nothing is 0.
func number(b []byte) (n int, ok bool) {
	if len(b) > 9 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// hexadecimal reads the 12 digits of a digest; nothing is nobody.
func hexadecimal(b []byte) (m mark, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			m = m<<4 | mark(c-'0')
		case c >= 'a' && c <= 'f':
			m = m<<4 | mark(c-'a'+10)
		default:
			return 0, false
		}
	}
	return m, len(b) == 12
}

// rfc3339 reads a time as our log writes it. The second, which most lines share
// with the line before, is read once.
func (p *parser) rfc3339(b []byte) (ns int64, ok bool) {
	const second = len("2006-01-02T15:04:05")
	if len(b) != second+len(".000Z") || b[second] != '.' || b[len(b)-1] != 'Z' {
		return slowly(time.RFC3339Nano, b)
	}
	if !p.remembers(b[:second]) {
		t, err := time.Parse("2006-01-02T15:04:05", string(b[:second]))
		if err != nil {
			return 0, false
		}
		p.remember(b[:second], t)
	}
	ms, ok := number(b[second+1 : second+4])
	return p.second + int64(ms)*int64(time.Millisecond), ok
}

func (p *parser) remembers(stamp []byte) bool { return string(p.stamp[:p.length]) == string(stamp) }

func (p *parser) remember(stamp []byte, t time.Time) {
	p.length = copy(p.stamp[:], stamp)
	p.second = t.UnixNano()
}

func slowly(layout string, b []byte) (ns int64, ok bool) {
	t, err := time.Parse(layout, string(b))
	return t.UnixNano(), err == nil && t.Year() >= 1970 && t.Year() < 2262
}
