package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/loopguard"
)

// Messages tests a store of message limits.
func Messages(t *testing.T, open MessagesOpener) {
	runAll(t, open, []scenario[loopguard.Store]{
		{"the 9th identical message is refused", messagesIdentical},
		{"the 21st consecutive message is refused", messagesConsecutive},
		{"a batch is admitted whole or refused whole", messagesBatch},
		{"a batch for several conversations is one decision", messagesManyConversations},
		{"bots, conversations and contents count apart", messagesApart},
		{"what is given back was never there", messagesGiveBack},
		{"places are taken before the upstream answers", messagesInFlight},
		{"what is in flight counts only for the token that sent it", messagesForged},
		{"what is confirmed counts for every token of the bot", messagesConfirmed},
		{"an unknown outcome keeps counting for its token", messagesUnknown},
		{"a late answer counts at the time of the request", messagesLate},
		{"settling twice or out of order is exact", messagesSettling},
		{"charged messages count and are never refused", messagesCharged},
		{"a reply resets the streak and nothing else", messagesReply},
		{"an operator's reset clears both rules, and nothing that comes after", messagesReset},
		{"a bot is not its own consumer", messagesAuthor},
		{"a reply clears by its time and not by its arrival", messagesReplyTimes},
		{"a reply is exact to the order within an instant", messagesReplyInstant},
		{"a conversation becomes blocked once", messagesDetected},
		{"a shadow counts and refuses nothing, what is off counts nothing", messagesModes},
		{"a changed limit applies at once to what is counted", messagesChanged},
		{"concurrent messages never exceed the limits", messagesTogether},
		{"every decision is that of the memory store", messagesModel},
		{"looking tells what the next decision will be", messagesLook},
	})
}

// desk is a store with a clock, and short words for what the tests promise.
type desk struct {
	*testing.T
	store loopguard.Store
	rules *loopguard.Rules
	now   time.Duration // since Epoch
}

func newDesk(t *testing.T, s loopguard.Store, change ...func(*loopguard.Config)) *desk {
	return &desk{T: t, store: s, rules: rulesWith(change...)}
}

func rulesWith(change ...func(*loopguard.Config)) *loopguard.Rules {
	cfg := loopguard.DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	return loopguard.Compile(cfg)
}

var bot = loopguard.Sender{Bot: id("bot"), Token: id("token")}

func to(conversation string, texts ...string) (messages []loopguard.Message) {
	for _, text := range texts {
		messages = append(messages, loopguard.Message{Conversation: id(conversation), Content: id(text)})
	}
	return messages
}

func (d *desk) at() int64 { return Epoch + int64(d.now) }

// reserve asks, and leaves the messages in flight.
func (d *desk) reserve(from loopguard.Sender, messages ...loopguard.Message) (loopguard.Decision, *loopguard.Reservation) {
	res := new(loopguard.Reservation)
	return d.store.Reserve(d.at(), d.rules, from, messages, res), res
}

func (d *desk) fly(from loopguard.Sender, messages ...loopguard.Message) *loopguard.Reservation {
	d.Helper()
	decision, res := d.reserve(from, messages...)
	if !decision.Admitted || decision.Unavailable {
		d.Errorf("at %v: refused: %+v", d.now, decision)
	}
	return res
}

func (d *desk) admits(from loopguard.Sender, messages ...loopguard.Message) loopguard.Decision {
	d.Helper()
	decision, res := d.reserve(from, messages...)
	if !decision.Admitted || decision.Unavailable {
		d.Errorf("at %v: refused: %+v", d.now, decision)
	}
	d.store.Keep(res)
	return decision
}

func (d *desk) refuses(rule loopguard.Rule, wait time.Duration, from loopguard.Sender, messages ...loopguard.Message) loopguard.Decision {
	d.Helper()
	decision, res := d.reserve(from, messages...)
	if decision.Admitted || decision.Unavailable || decision.Refused != rule || (decision.Wait-wait).Abs() > precision {
		d.Errorf("at %v: got %+v, want a refusal by %v and a wait of %v", d.now, decision, rule, wait)
	}
	d.store.Keep(res) // of a refused reservation nothing is kept
	return decision
}

// counts says how many messages count, without leaving one.
func (d *desk) counts(rule loopguard.Rule, want int, from loopguard.Sender, message ...loopguard.Message) {
	d.Helper()
	decision, res := d.reserve(from, message...)
	used := decision.States[rule].Used
	if decision.Admitted && !decision.States[rule].Over {
		used -= len(message)
	}
	d.store.GiveBack(res)
	if used != want {
		d.Errorf("at %v: %d messages count, want %d: %+v", d.now, used, want, decision)
	}
}

// reply is one in the conversation c.
func (d *desk) reply(author digest.ID, at time.Duration) bool {
	return d.store.Reply(d.at(), loopguard.Reply{
		Conversation: id("c"), Author: author, At: Epoch + int64(at), Ago: d.now - at,
		Window: d.rules.Window(loopguard.Consecutive),
	})
}

var person digest.ID

func messagesIdentical(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	for range 8 {
		d.admits(bot, to("c", "a")...)
		d.now += time.Second
	}
	refusal := d.refuses(loopguard.Identical, 3*time.Minute-8*time.Second, bot, to("c", "a")...)
	if refusal.Limit.Messages != 8 || refusal.Limit.Window != 3*time.Minute || refusal.Used != 8 || refusal.TooMany {
		t.Errorf("got %+v", refusal)
	}
	d.admits(bot, to("c", "b")...)
	d.now = 3*time.Minute - time.Millisecond
	d.refuses(loopguard.Identical, time.Millisecond, bot, to("c", "a")...)
	d.now = 3 * time.Minute
	d.admits(bot, to("c", "a")...)
	d.refuses(loopguard.Identical, time.Second, bot, to("c", "a")...)
}

func messagesConsecutive(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	for i := range 20 {
		state := d.admits(bot, to("c", fmt.Sprint(i))...).States[loopguard.Consecutive]
		if state.Used != i+1 || state.Near != (i+1 >= 16) || (state.Reset-(time.Hour-d.now)).Abs() > precision {
			t.Errorf("message %d: %+v", i+1, state)
		}
		d.now += time.Minute
	}
	d.refuses(loopguard.Consecutive, 40*time.Minute, bot, to("c", "x")...)
	d.now = time.Hour
	d.admits(bot, to("c", "x")...)
	d.refuses(loopguard.Consecutive, time.Minute, bot, to("c", "y")...)
}

func messagesBatch(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	d.refuses(loopguard.Identical, 0, bot, to("c", "a", "a", "a", "a", "a", "a", "a", "a", "a")...)
	d.counts(loopguard.Identical, 0, bot, to("c", "a")...)
	d.admits(bot, to("c", "a", "b", "a", "a", "b", "a", "a")...) // 5 of a
	d.now = time.Second
	d.admits(bot, to("c", "a", "a", "c")...)
	refusal := d.refuses(loopguard.Identical, 3*time.Minute-time.Second, bot, to("c", "d", "a", "a")...)
	if refusal.Used != 7 || refusal.TooMany {
		t.Errorf("got %+v", refusal)
	}
	d.counts(loopguard.Consecutive, 10, bot, to("c", "d")...)
	d.counts(loopguard.Identical, 0, bot, to("c", "d")...)
	d.refuses(loopguard.Consecutive, time.Hour-time.Second, bot, to("c", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11")...)
	many := make([]string, 21)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	if refusal := d.refuses(loopguard.Consecutive, 0, bot, to("c", many...)...); !refusal.TooMany {
		t.Errorf("a batch that can never pass: %+v", refusal)
	}
	d.admits(bot, to("c", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")...)
}

func messagesManyConversations(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	for i := range 19 {
		d.admits(bot, to("full", fmt.Sprint(i))...)
	}
	both := append(to("free", "a", "b"), to("full", "x", "y")...)
	both = append(both, to("third", "z")...)
	d.refuses(loopguard.Consecutive, time.Hour, bot, both...)
	d.counts(loopguard.Consecutive, 0, bot, to("free", "a")...)
	d.counts(loopguard.Consecutive, 0, bot, to("third", "z")...)
	d.counts(loopguard.Consecutive, 19, bot, to("full", "x")...)
	d.admits(bot, append(to("free", "a", "b"), to("full", "x")...)...)
	d.counts(loopguard.Consecutive, 2, bot, to("free", "c")...)
	d.refuses(loopguard.Consecutive, time.Hour, bot, to("full", "x")...)
	res := d.fly(bot, append(to("free", "a"), to("third", "z")...)...)
	d.counts(loopguard.Consecutive, 3, bot, to("free", "c")...)
	d.store.GiveBack(res)
	d.counts(loopguard.Consecutive, 2, bot, to("free", "c")...)
	d.counts(loopguard.Consecutive, 0, bot, to("third", "z")...)
}

func messagesApart(t *testing.T, s loopguard.Store) {
	d := newDesk(t, s)
	other := loopguard.Sender{Bot: id("other bot"), Token: id("other token")}
	d.admits(bot, to("c", "a", "a", "a", "a", "a", "a", "a", "a")...)
	d.refuses(loopguard.Identical, 3*time.Minute, bot, to("c", "a")...)
	d.counts(loopguard.Identical, 0, other, to("c", "a")...)
	d.counts(loopguard.Consecutive, 0, other, to("c", "a")...)
	d.counts(loopguard.Identical, 0, bot, to("d", "a")...)
	d.counts(loopguard.Identical, 0, bot, to("c", "b")...)
	d.counts(loopguard.Consecutive, 8, bot, to("c", "b")...)
}
