package rehearse

import (
	"net/netip"

	"github.com/chatshipper/gateway/internal/digest"
)

// mark is a digest as a log writes it: its 48 bits, or 0 for nobody.
type mark uint64

// id spreads a mark over the bits of an ID, because the rooms take parts of them.
func (m mark) id() digest.ID {
	if m == 0 {
		return digest.ID{}
	}
	return digest.ID{Hi: uint64(m) * 0x9E3779B97F4A7C15, Lo: uint64(m)*0xD6E8FEB86659FD93 ^ uint64(m)>>7}
}

// Line is what one line of an access log tells of a request. What is not known
// is zero. It holds on to nothing of the text that it was read from.
type Line struct {
	Time  int64      // ns since 1970, when the request began
	Reply int64      // when a reply was written, ns since 1970
	Addr  netip.Addr // of the client, in a log that has addresses

	ip, key, bot, conversation, content mark

	messages  int32
	fate      fate
	fromBot   bool
	embedded  bool     // the messages stood inside a new conversation
	unlimited bool     // the request limits did not look at it: a webhook, or no request at all
	exempt    uint8    // a bit for each house that exempts its path
	refused   ruleName // by which rule it was refused when it happened
}

// fate is what the upstream made of a request's messages.
type fate uint8

const (
	failed  fate = iota // it refused them, or never saw them
	created             // it created them; supposed of those that a limit refused
	unclear             // nobody knows
)

// ruleName is a rule, or none. It counts all four rules in one list.
type ruleName uint8

const (
	nobody ruleName = iota
	perIP
	perKey
	identical
	consecutive
	ruleNames
)

var rules = [ruleNames]string{"", "per_ip", "per_key", "identical", "consecutive"}

// String is the rule's name in metrics and logs.
func (r ruleName) String() string { return rules[r] }

// kind is what a line of a log is.
type kind uint8

const (
	readable  kind = iota
	malformed      // it can't be read
	foreign        // it is no request: the gateway's own log, an empty line
)

// parser reads lines. It remembers the last second that it has read, because
// most lines repeat it. It is not safe for concurrent use.
type parser struct {
	stamp  [32]byte
	length int
	second int64
	exempt func(path []byte) uint8 // which houses exempt a path
	rough  bool                    // a line had whole seconds only
	paths  bool                    // a line had a path
	marks  bool                    // a line had digests
}

// parse reads one line of either format.
func (p *parser) parse(text []byte, l *Line) kind {
	*l = Line{}
	for len(text) > 0 && (text[len(text)-1] == '\r' || text[len(text)-1] == ' ') {
		text = text[:len(text)-1]
	}
	switch {
	case len(text) == 0:
		return foreign
	case text[0] == '{':
		return p.json(text, l)
	}
	return p.common(text, l)
}
