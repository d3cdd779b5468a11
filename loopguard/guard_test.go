package loopguard

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// desk is a guard with a clock, and short words for what the tests promise.
type desk struct {
	t     *testing.T
	guard *Memory
	rules *Rules
	now   time.Duration
}

func newDesk(t *testing.T, change ...func(*Config)) *desk {
	cfg := DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	return &desk{t: t, guard: NewMemory(16 << 20), rules: Compile(cfg)}
}

var bot = Sender{Bot: idOf("bot"), Token: idOf("token")}

func to(conversation string, texts ...string) (messages []Message) {
	for _, text := range texts {
		messages = append(messages, Message{Conversation: idOf(conversation), Content: idOf(text)})
	}
	return messages
}

// send reserves and, when it may, keeps.
func (d *desk) send(from Sender, messages ...Message) Decision {
	var res Reservation
	decision := d.guard.Reserve(int64(d.now), d.rules, from, messages, &res)
	d.guard.Keep(&res)
	return decision
}

func (d *desk) admits(from Sender, messages ...Message) Decision {
	d.t.Helper()
	decision := d.send(from, messages...)
	if !decision.Admitted {
		d.t.Errorf("at %v: refused: %+v", d.now, decision)
	}
	return decision
}

func (d *desk) refuses(rule Rule, wait time.Duration, from Sender, messages ...Message) Decision {
	d.t.Helper()
	decision := d.send(from, messages...)
	if decision.Admitted || decision.Refused != rule || decision.Wait != wait {
		d.t.Errorf("at %v: got %+v, want a refusal by %v and a wait of %v", d.now, decision, rule, wait)
	}
	return decision
}

func (d *desk) reply(conversation string, author digest.ID, at time.Duration) bool {
	return d.guard.Reply(int64(d.now), Reply{Conversation: idOf(conversation), Author: author, At: int64(at)})
}

// A bot that posts the same text again and again: the first loop of
// ChatShipper's documentation. The 9th is refused.
func TestDocumentedIdenticalLoop(t *testing.T) {
	d := newDesk(t)
	body := `{"conversation":"65aa0e00aabbccddeeff0001","text":"Sorry, I did not understand that."}`
	for i := range 10 {
		m := readOne(t, testReader, body, "")
		if i < 8 {
			d.admits(bot, m)
			continue
		}
		refusal := d.refuses(Identical, 3*time.Minute, bot, m)
		if refusal.Limit.Messages != 8 || refusal.Limit.Window != 3*time.Minute || refusal.Used != 8 {
			t.Errorf("message %d: got %+v", i+1, refusal)
		}
	}
	d.now = 3 * time.Minute
	d.admits(bot, readOne(t, testReader, body, ""))
}

// A bot that sets one value after the other: the second loop of ChatShipper's
// documentation. No two commands are equal, and the 21st is refused until an
// agent or a consumer writes.
func TestDocumentedCommandLoop(t *testing.T) {
	d := newDesk(t)
	command := func(i int) Message {
		return readOne(t, testReader, fmt.Sprintf(`{"type":"command","text":"/set counter %d"}`, i), "65aa0e00aabbccddeeff0001")
	}
	for i := range 20 {
		d.admits(bot, command(i))
	}
	for i := 20; i < 25; i++ {
		refusal := d.refuses(Consecutive, time.Hour, bot, command(i))
		if refusal.Limit.Messages != 20 || refusal.Limit.Window != time.Hour || refusal.Used != 20 {
			t.Errorf("command %d: got %+v", i+1, refusal)
		}
	}
	d.now = time.Minute
	d.guard.Reply(int64(d.now), Reply{Conversation: command(0).Conversation, At: int64(d.now)})
	for i := range 20 {
		d.admits(bot, command(30+i))
	}
	d.refuses(Consecutive, time.Hour, bot, command(99))
}

func TestTheWindowIsHalfOpenAndSlides(t *testing.T) {
	d := newDesk(t)
	for i := range 8 {
		d.now = time.Duration(i) * time.Second
		d.admits(bot, to("c", "a")...)
	}
	d.now = 3*time.Minute - 128*time.Nanosecond // the last instant before the first leaves
	d.refuses(Identical, 128, bot, to("c", "a")...)
	d.now = 3 * time.Minute
	d.admits(bot, to("c", "a")...)
	d.refuses(Identical, time.Second, bot, to("c", "a")...)
	d.now += time.Second
	d.admits(bot, to("c", "a")...)
}

func TestBotsAndConversationsAndTextsAreSeparate(t *testing.T) {
	d := newDesk(t)
	other := Sender{Bot: idOf("other bot"), Token: bot.Token}
	for range 8 {
		d.admits(bot, to("c", "a")...)
	}
	d.refuses(Identical, 3*time.Minute, bot, to("c", "a")...)
	d.admits(bot, to("c", "b")...)
	d.admits(bot, to("d", "a")...)
	d.admits(other, to("c", "a")...)
}

func TestABatchIsAdmittedWholeOrRefusedWhole(t *testing.T) {
	d := newDesk(t)
	d.admits(bot, to("c", "a", "a", "a", "a", "a")...)
	d.now = time.Second
	d.refuses(Identical, 3*time.Minute-time.Second, bot, to("c", "b", "a", "a", "a", "a")...) // 5 + 4: a has no room, so b gets none
	d.admits(bot, to("c", "a", "a", "a", "b")...)                                             // 5 + 3
	d.refuses(Identical, 3*time.Minute-time.Second, bot, to("c", "a")...)

	d = newDesk(t)
	for i := range 19 {
		d.now = time.Duration(i) * time.Minute
		d.admits(bot, to("c", fmt.Sprint(i))...)
	}
	// Three more fit once the two oldest have left.
	d.refuses(Consecutive, time.Hour+time.Minute-d.now, bot, to("c", "x", "y", "z")...)
	d.admits(bot, to("c", "x")...)
}

func TestABatchLargerThanTheLimitCanNeverPass(t *testing.T) {
	d := newDesk(t)
	nine := slices.Repeat(to("c", "a"), 9)
	if refusal := d.refuses(Identical, 0, bot, nine...); !refusal.TooMany || refusal.Used != 0 {
		t.Errorf("got %+v", refusal)
	}
	var texts []string
	for i := range 21 {
		texts = append(texts, fmt.Sprint(i))
	}
	if refusal := d.refuses(Consecutive, 0, bot, to("c", texts...)...); !refusal.TooMany || refusal.States[Identical].Over {
		t.Errorf("got %+v", refusal)
	}
	d.admits(bot, to("c", texts[:20]...)...)
	// What can pass at some time is nearer than what never can.
	if refusal := d.refuses(Identical, 0, bot, nine...); !refusal.TooMany || !refusal.States[Consecutive].Over {
		t.Errorf("got %+v", refusal)
	}
}

func TestABatchToSeveralConversationsCountsInEach(t *testing.T) {
	d := newDesk(t)
	for range 7 {
		d.admits(bot, to("full", "a")...)
	}
	var everywhere []Message
	for i := range 200 { // in every shard
		everywhere = append(everywhere, to(fmt.Sprint("c", i), "a")...)
	}
	everywhere = append(everywhere, to("full", "a")...)
	for i := range 8 {
		if i == 0 {
			d.admits(bot, everywhere...)
			continue
		}
		d.refuses(Identical, 3*time.Minute, bot, everywhere...)
	}
	for i := range 200 {
		if used := d.admits(bot, to(fmt.Sprint("c", i), "a")...).States[Identical].Used; used != 2 {
			t.Fatalf("conversation %d has %d messages, want 2", i, used)
		}
	}
}

func TestABatchWithoutMessagesIsAdmitted(t *testing.T) {
	if d := newDesk(t).admits(bot); d.States[Identical].Used != 0 || d.States[Identical].Limit.Messages != 8 {
		t.Errorf("got %+v", d)
	}
}

func TestOfTwoRulesTheOneWithTheLongerWaitRefuses(t *testing.T) {
	d := newDesk(t)
	for range 12 {
		d.now += time.Minute // so that the identical ones fit
		d.admits(bot, to("c", "a")...)
	}
	d.now += time.Minute
	d.admits(bot, to("c", "a", "a", "a", "a", "a", "a")...)
	d.admits(bot, to("c", "b", "c")...)
	both := d.refuses(Consecutive, time.Hour+time.Minute-d.now, bot, to("c", "a")...)
	if s := both.States[Identical]; !s.Over || s.Wait != time.Minute {
		t.Errorf("identical: got %+v", s)
	}
	if both.Limit.Messages != 20 || both.Used != 20 {
		t.Errorf("got %+v", both)
	}
}

func TestARefusalChargesNothing(t *testing.T) {
	d := newDesk(t)
	for range 8 {
		d.admits(bot, to("c", "a")...)
	}
	for range 50 {
		d.refuses(Identical, 3*time.Minute, bot, to("c", "a")...)
	}
	if s := d.admits(bot, to("c", "b")...).States[Consecutive]; s.Used != 9 {
		t.Errorf("the refused messages count as consecutive: %+v", s)
	}
}
