package rehearse

import (
	"encoding/binary"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// verdict is what the rules of a house make of a line.
type verdict struct {
	refused ruleName // that refuses it; nobody when it is admitted
	tried   ruleName // of an admitted one: whose candidate would refuse it
	would   ruleName // of an admitted one: that would refuse it, were it no shadow
}

// culprit is whom a rule refuses: a client, a key, or a bot in a conversation.
type culprit struct {
	rule ruleName
	a, b uint64
}

// replay walks one line down the rules, as Ask walks a request, and lets count
// itself what is admitted.
func (h *House) replay(l *Line, bit uint8) (v verdict) {
	if !l.unlimited && l.exempt&bit == 0 && (!l.Addr.IsValid() || !h.limits.ExemptAddr(l.Addr)) {
		d := h.requests.Take(l.Time, h.client(l), h.keyHit(l))
		for rule := range d.States {
			if d.States[rule].Over && d.States[rule].Limit.Shadow && v.would == nobody {
				v.would = perIP + ruleName(rule)
			}
		}
		if !d.Admitted {
			return verdict{refused: perIP + ruleName(d.Refused)}
		}
		for rule, trial := range d.Trials {
			if trial == limiter.WouldRefuse && v.tried == nobody {
				v.tried = perIP + ruleName(rule)
			}
		}
	}
	if l.messages > 0 && l.fromBot && l.conversation != 0 {
		h.replayMessages(l, &v)
	}
	if l.Reply != 0 && v.refused == nobody {
		h.messages.Reply(l.Time, loopguard.Reply{Conversation: l.conversation.id(), Author: author(l), At: l.Reply})
	}
	return v
}

// client is what the per-IP rule counts a line by.
func (h *House) client(l *Line) limiter.Hit {
	if l.Addr.IsValid() {
		return h.limits.IP(l.Addr)
	}
	return h.limits.Digested(l.ip.id())
}

// keyHit is what the per-key rule counts a line by. A log names neither the key
// nor its user in clear, so no override applies.
func (h *House) keyHit(l *Line) limiter.Hit {
	if l.key == 0 {
		return limiter.Hit{}
	}
	return h.limits.Key(l.key.id(), &unnamed, nil, false)
}

// unnamed is the SHA-256 of no key.
var unnamed [32]byte

// author is who a reply is from, as far as it matters: a bot, or nobody's bot.
func author(l *Line) digest.ID {
	if l.fromBot {
		return l.bot.id()
	}
	return digest.ID{}
}

func (h *House) replayMessages(l *Line, v *verdict) {
	from := loopguard.Sender{Bot: l.bot.id(), Token: l.key.id()}
	list := h.contents(l)
	if l.embedded {
		if l.fate == created {
			h.messages.Charge(l.Time, h.guard, from, list)
		}
		return
	}
	d := h.messages.Reserve(l.Time, h.guard, from, list, &h.held)
	for rule := range d.States {
		if d.States[rule].Over && d.States[rule].Limit.Shadow && v.would == nobody {
			v.would = identical + ruleName(rule)
		}
	}
	if !d.Admitted {
		*v = verdict{refused: identical + ruleName(d.Refused)}
		return
	}
	for rule, trial := range d.Trials {
		if trial == loopguard.WouldRefuse && v.tried == nobody {
			v.tried = identical + ruleName(rule)
		}
	}
	switch l.fate {
	case created:
		h.messages.Keep(&h.held)
	case unclear:
		h.held.Unknown()
	default:
		h.messages.GiveBack(&h.held)
	}
}

// contents makes the messages of a line. Those of an array are taken for
// different ones, because the log does not tell.
func (h *House) contents(l *Line) []loopguard.Message {
	list := h.batch.Messages[:0]
	for range min(int(l.messages), maxReplayed) {
		h.serial++
		m := loopguard.Message{Conversation: l.conversation.id(), Content: digest.ID{Hi: h.serial, Lo: 1}}
		if l.content != 0 {
			m.Content = l.content.id()
		}
		list = append(list, m)
	}
	h.batch.Messages = list
	return list
}

// maxReplayed is more messages than a limit can admit.
const maxReplayed = 10_001

// culprit is whom a rule would have refused a line for.
func (h *House) culprit(l *Line, rule ruleName) culprit {
	c := culprit{rule: rule}
	switch rule {
	case perIP:
		c.a = uint64(l.ip)
		if l.Addr.IsValid() {
			b := h.limits.Client(l.Addr).As16()
			c.a, c.b = binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
		}
	case perKey:
		c.a = uint64(l.key)
	default:
		c.a, c.b = uint64(l.conversation), uint64(l.bot)
	}
	return c
}
