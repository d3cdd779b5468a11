package loopguard

import (
	"cmp"
	"slices"

	"github.com/chatshipper/gateway/internal/digest"
)

// Sender is who a message comes from.
type Sender struct {
	Bot   digest.ID // the user that the token claims to be, or stands for
	Token digest.ID
}

// Reservation is the places that the messages of one request take up until the
// upstream's answer says what becomes of them. The zero value is ready for use,
// and a settled one for reuse, which saves its allocations. It must not be
// copied while it is held.
//
// A held Reservation has to be settled once: by Keep or GiveBack of the store that
// holds it, or by Unknown.
// Settling it again does nothing. One that is reused unsettled counts as
// unknown.
type Reservation struct {
	// Name is what a store that is shared knows the reservation by; 0 when this
	// process holds it, or nobody.
	Name uint64

	holds  []Hold
	shards uint64 // of the holds, a bit for each
	from   Sender
	limits [LimitCount]Limit
	at     int64     // the time at which the messages count
	sorted []Message // scratch
	state  State     // likewise
}

// Hold is the places under one key of one rule.
type Hold struct {
	ID           digest.ID // of the bot in the conversation, and for Identical the content
	Conversation digest.ID
	Messages     int
	Rule         Rule
	At           int64 // the time at which they count, by the clock of a store that is shared
}

// Holds are what is to be held, or is: those of one conversation together. They
// are the reservation's own, valid until it ends.
func (r *Reservation) Holds() []Hold { return r.holds }

// From is who the messages come from.
func (r *Reservation) From() Sender { return r.from }

// Limits are those that the messages are judged by.
func (r *Reservation) Limits() [LimitCount]Limit { return r.limits }

func (h *Hold) shard() uint { return shardOf(h.Conversation) }

// shardOf spreads conversations. Everything about one is in one shard.
func shardOf(conversation digest.ID) uint { return uint(conversation.Hi % shardCount) }

// Begin gathers messages into holds. Equal ones are brought together by sorting,
// so that a large batch costs n log n and not n².
//
// Of a conversation to which more go than the consecutive rule can ever admit,
// the messages are compared with each other only when they count all the same:
// the answer is clear, and comparing 80,000 of a stranger's takes 80 ms. countAll
// says that they do.
func (r *Reservation) Begin(rules *Rules, from Sender, messages []Message, countAll bool) {
	r.Name, r.holds, r.shards = 0, r.holds[:0], 0
	r.from, r.limits = from, rules.limits
	if len(messages) > 1 {
		r.sorted = append(r.sorted[:0], messages...)
		slices.SortFunc(r.sorted, func(a, b Message) int { return compareIDs(a.Conversation, b.Conversation) })
		messages = r.sorted
	}
	for len(messages) > 0 {
		conversation := messages[0].Conversation
		n := countWhile(messages, func(m *Message) bool { return m.Conversation == conversation })
		hopeless := n > r.limits[Consecutive].Messages && r.limits[Consecutive].isEnforced()
		r.gather(messages[:n], countAll || !hopeless)
		messages = messages[n:]
	}
}

// gather makes the holds of one conversation.
func (r *Reservation) gather(messages []Message, compare bool) {
	conversation := messages[0].Conversation
	id := r.from.Bot.Join(conversation)
	r.shards |= 1 << shardOf(conversation)
	for _, rule := range [...]Rule{Consecutive, Consecutive.candidate()} {
		if !r.limits[rule].isOff() {
			r.holds = append(r.holds, Hold{ID: id, Conversation: conversation, Messages: len(messages), Rule: rule})
		}
	}
	if r.limits[Identical].isOff() && r.limits[Identical.candidate()].isOff() || !compare {
		return
	}
	if len(messages) > 1 {
		slices.SortFunc(messages, func(a, b Message) int { return compareIDs(a.Content, b.Content) })
	}
	for len(messages) > 0 {
		content := messages[0].Content
		n := countWhile(messages, func(m *Message) bool { return m.Content == content })
		for _, rule := range [...]Rule{Identical, Identical.candidate()} {
			if !r.limits[rule].isOff() {
				r.holds = append(r.holds, Hold{ID: id.Join(content), Conversation: conversation, Messages: n, Rule: rule})
			}
		}
		messages = messages[n:]
	}
}

// Judge makes the decision, where weigh tells how the rule of the i-th hold stands
// to it, in a State that is zero before. What was admitted is still to be taken: Holds then lacks those of a rule
// in shadow mode that counts nothing more. A refusal ends the reservation.
func (r *Reservation) Judge(weigh func(i int, s *State)) Decision {
	var states [LimitCount]State
	for rule := range states {
		states[rule].Limit = r.limits[rule]
	}
	for i := range r.holds {
		r.state = State{}
		weigh(i, &r.state)
		states[r.holds[i].Rule].add(&r.state)
	}
	for rule := range states {
		if s := &states[rule]; !s.Over && !s.Limit.isOff() {
			s.Near = s.Used*5 >= s.Limit.Messages*4
		}
	}
	d := decide(&states)
	if !d.Admitted {
		r.End()
		return d
	}
	for rule := range states {
		if states[rule].Over {
			r.drop(Rule(rule)) // in shadow mode, or a candidate
		}
	}
	return d
}

// Unknown settles a reservation of whose messages nobody knows whether the
// upstream has created them. They go on counting for the token that sent them,
// until they leave the window, wherever they are held.
func (r *Reservation) Unknown() { r.End() }

// drop lets go of what a rule doesn't count.
func (r *Reservation) drop(rule Rule) {
	r.holds = slices.DeleteFunc(r.holds, func(h Hold) bool { return h.Rule == rule })
}

// End makes the reservation ready for reuse, without the memory of a huge batch.
func (r *Reservation) End() {
	r.Name, r.holds, r.shards = 0, r.holds[:0], 0
	if cap(r.holds) > keptMessages {
		r.holds = nil
	}
	if cap(r.sorted) > keptMessages {
		r.sorted = nil
	}
}

func countWhile(messages []Message, same func(m *Message) bool) int {
	n := 0
	for n < len(messages) && same(&messages[n]) {
		n++
	}
	return n
}

func compareIDs(a, b digest.ID) int {
	return cmp.Or(cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo))
}
