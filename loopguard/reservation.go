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
// A held Reservation has to be settled once, by Keep, Unknown or GiveBack.
// Settling it again does nothing. One that is reused unsettled counts as
// unknown.
type Reservation struct {
	holds  []hold
	shards uint64 // of the holds, a bit for each
	from   Sender
	limits [ruleAndCandidates]Limit
	at     int64     // the time at which the messages count
	sorted []Message // scratch
}

// hold is the places under one key of one rule.
type hold struct {
	id           digest.ID // of the bot in the conversation, and for Identical the content
	conversation digest.ID
	messages     int
	rule         Rule
}

func (h *hold) shard() uint { return shardOf(h.conversation) }

// shardOf spreads conversations. Everything about one is in one shard.
func shardOf(conversation digest.ID) uint { return uint(conversation.Hi % shardCount) }

// begin gathers messages into holds. Equal ones are brought together by sorting,
// so that a large batch costs n log n and not n².
//
// Of a conversation to which more go than the consecutive rule can ever admit,
// the messages are compared with each other only when they count all the same:
// the answer is clear, and comparing 80,000 of a stranger's takes 80 ms.
func (r *Reservation) begin(rules *Rules, from Sender, messages []Message, countAll bool) {
	r.holds, r.shards = r.holds[:0], 0
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
			r.holds = append(r.holds, hold{id: id, conversation: conversation, messages: len(messages), rule: rule})
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
				r.holds = append(r.holds, hold{id: id.Join(content), conversation: conversation, messages: n, rule: rule})
			}
		}
		messages = messages[n:]
	}
}

// drop lets go of what a rule doesn't count.
func (r *Reservation) drop(rule Rule) {
	r.holds = slices.DeleteFunc(r.holds, func(h hold) bool { return h.rule == rule })
}

// end makes the reservation ready for reuse, without the memory of a huge batch.
func (r *Reservation) end() {
	r.holds, r.shards = r.holds[:0], 0
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
