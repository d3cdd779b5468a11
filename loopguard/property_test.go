package loopguard

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/unit"
)

func until(t, now int64) time.Duration { return time.Duration(now - t) }

// chooser makes choices: a random source, or the bytes of a fuzzer.
type chooser interface{ IntN(n int) int }

// bytesChooser chooses by bytes, and always 0 after the last one.
type bytesChooser []byte

func (b *bytesChooser) IntN(n int) int {
	if len(*b) == 0 {
		return 0
	}
	c := int((*b)[0])
	*b = (*b)[1:]
	return c % n
}

// duel plays the same game on the guard and on the model.
type duel struct {
	choose chooser
	tick   int64 // all times are multiples of it: what the guard keeps exactly
	guard  *Memory
	model  *model
	now    int64
	open   []*held
	log    []string
}

type held struct {
	res  Reservation
	sent []*sentMessage
}

var (
	duelBots          = []digest.ID{idOf("bot ada"), idOf("bot bob"), idOf("bot eve")}
	duelTokens        = []digest.ID{idOf("token 1"), idOf("token 2")}
	duelContents      = []digest.ID{idOf("hello"), idOf("bye"), idOf("/set a 1")}
	duelConversations = sameAndOtherShards()
)

// sameAndOtherShards is three conversations, two of them in one shard.
func sameAndOtherShards() []digest.ID {
	first := idOf("c")
	same, other := digest.ID{}, digest.ID{}
	for i := 0; same.IsZero() || other.IsZero(); i++ {
		if id := idOf(fmt.Sprint("c", i)); shardOf(id) == shardOf(first) {
			same = id
		} else {
			other = id
		}
	}
	return []digest.ID{first, same, other}
}

func newDuel(choose chooser, cfg Config) *duel {
	rules := Compile(cfg)
	d := &duel{choose: choose, tick: 1, guard: NewMemory(64 << 20), model: newModel(rules), now: 1 << 40}
	if cfg.Consecutive.Window > 2*time.Second {
		d.tick = 2048
	}
	return d
}

func pick[T any](d *duel, from []T) T { return from[d.choose.IntN(len(from))] }

// sender is a bot with one of its tokens, or with one that others use too.
func (d *duel) sender() Sender { return Sender{Bot: pick(d, duelBots), Token: pick(d, duelTokens)} }

func (d *duel) messages() []Message {
	n := 1
	if d.choose.IntN(4) == 0 {
		n = d.choose.IntN(6)
	}
	messages := make([]Message, n)
	conversation := pick(d, duelConversations)
	for i := range messages {
		if d.choose.IntN(6) == 0 {
			conversation = pick(d, duelConversations)
		}
		messages[i] = Message{Conversation: conversation, Content: pick(d, duelContents)}
	}
	return messages
}

// pass lets time go by: nothing, a tick, a part of a window, or exactly until an
// earlier message leaves its window, or a tick before that.
func (d *duel) pass() {
	limits := &d.model.rules.limits
	switch d.choose.IntN(6) {
	case 0, 1:
	case 2:
		d.now += d.tick
	case 3:
		d.now += int64(limits[Identical].Window) / 16 / d.tick * d.tick
	default:
		if len(d.model.sent) == 0 {
			return
		}
		recent := d.model.sent[max(0, len(d.model.sent)-20):]
		end := pick(d, recent).at + int64(limits[d.choose.IntN(RuleCount)].Window) - int64(d.choose.IntN(2))*d.tick
		d.now = max(d.now, end)
	}
}

// about now: a request may be a little older than the last one.
func (d *duel) about() int64 {
	if d.choose.IntN(5) == 0 {
		return d.now - int64(d.choose.IntN(4))*d.tick
	}
	return d.now
}

func (d *duel) note(format string, args ...any) { d.log = append(d.log, fmt.Sprintf(format, args...)) }

// step makes one move on both sides and says where they differ.
func (d *duel) step() (difference string) {
	d.pass()
	now := d.about()
	switch d.choose.IntN(10) {
	case 0, 1:
		return d.reply(now)
	case 2, 3, 4:
		d.settle()
		return ""
	case 5:
		if d.choose.IntN(8) == 0 {
			from, messages := d.sender(), d.messages()
			d.note("%d charge %v %v", now, from, messages)
			d.guard.Charge(now, d.model.rules, from, messages)
			d.model.charge(now, from, messages)
			return ""
		}
	}
	return d.reserve(now)
}

func (d *duel) reserve(now int64) string {
	from, messages := d.sender(), d.messages()
	h := new(held)
	got := d.guard.Reserve(now, d.model.rules, from, messages, &h.res)
	want, sent := d.model.reserve(now, from, messages)
	d.note("%d reserve %v %v: %v", now, from, messages, got.Admitted)
	h.sent = sent
	if got.Admitted {
		d.open = append(d.open, h)
	}
	if got != want {
		return fmt.Sprintf("got\n%+v\nwant\n%+v", got, want)
	}
	return ""
}

func (d *duel) reply(now int64) string {
	conversation, author := pick(d, duelConversations), person
	if d.choose.IntN(2) == 0 {
		author = pick(d, duelBots)
	}
	at := now
	switch d.choose.IntN(5) {
	case 0:
		at -= int64(d.choose.IntN(200)) * int64(d.model.rules.limits[Consecutive].Window) / 100 / d.tick * d.tick
	case 1:
		at += int64(d.choose.IntN(1000)) * d.tick
	case 2:
		if len(d.model.replies) > 0 {
			at = pick(d, d.model.replies).at
		}
	case 3:
		if len(d.model.sent) > 0 {
			at = pick(d, d.model.sent).at - int64(d.choose.IntN(2))*d.tick
		}
	}
	d.note("%d reply to %v by %v at %d", now, conversation, author, at)
	got, want := d.guard.Reply(now, Reply{Conversation: conversation, Author: author, At: at}), d.model.reply(conversation, author, at, now)
	if got != want {
		return fmt.Sprintf("a reply resets: %v, want %v", got, want)
	}
	return ""
}

// settle settles one of the open reservations, whichever.
func (d *duel) settle() {
	if len(d.open) == 0 {
		return
	}
	i := d.choose.IntN(len(d.open))
	h := d.open[i]
	d.open = append(d.open[:i], d.open[i+1:]...)
	switch d.choose.IntN(4) {
	case 0:
		d.note("give back %d", len(h.sent))
		d.guard.GiveBack(&h.res)
		d.model.settle(h.sent, undone)
	case 1:
		d.note("unknown %d", len(h.sent))
		h.res.Unknown()
	default:
		d.note("keep %d", len(h.sent))
		d.guard.Keep(&h.res)
		d.model.settle(h.sent, created)
	}
}

// duelConfigs are small limits, so that they are reached all the time. Windows
// of up to 2 s are kept to the nanosecond.
func duelConfigs() []Config {
	f := func(identical, consecutive int, short, long time.Duration, a, b unit.Mode) Config {
		cfg := DefaultConfig()
		cfg.Identical.Messages, cfg.Identical.Window, cfg.Identical.Mode = identical, short, a
		cfg.Consecutive.Messages, cfg.Consecutive.Window, cfg.Consecutive.Mode = consecutive, long, b
		return cfg
	}
	return []Config{
		f(3, 5, time.Second, 2*time.Second, unit.Enforce, unit.Enforce),
		f(2, 4, time.Second, 2*time.Second, unit.Shadow, unit.Enforce),
		f(2, 4, time.Second, 2*time.Second, unit.Enforce, unit.Shadow),
		f(2, 3, time.Second, time.Second, unit.Shadow, unit.Shadow),
		f(2, 3, time.Second, time.Second, unit.Off, unit.Enforce),
		f(2, 3, time.Second, time.Second, unit.Enforce, unit.Off),
		f(1, 1, 2*time.Second, time.Second, unit.Enforce, unit.Enforce),
		f(3, 7, 3*time.Minute, time.Hour, unit.Enforce, unit.Enforce),
	}
}

func (d *duel) play(t *testing.T, steps int) {
	t.Helper()
	for range steps {
		if difference := d.step(); difference != "" {
			t.Fatalf("the guard and the model differ: %s\nafter\n%s", difference, strings.Join(d.log[max(0, len(d.log)-40):], "\n"))
		}
	}
}

func TestTheGuardDecidesAsTheNaiveModel(t *testing.T) {
	for i, cfg := range duelConfigs() {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			for game := range uint64(12) {
				newDuel(rand.New(rand.NewPCG(uint64(i), game)), cfg).play(t, 400)
			}
		})
	}
}

// FuzzGuard lets the fuzzer look for a game that the guard and the model play
// differently.
func FuzzGuard(f *testing.F) {
	for i := range duelConfigs() {
		rng := rand.New(rand.NewPCG(7, uint64(i)))
		game := make([]byte, 300)
		for j := range game {
			game[j] = byte(rng.UintN(256))
		}
		f.Add(uint8(i), game)
	}
	f.Fuzz(func(t *testing.T, which uint8, game []byte) {
		configs := duelConfigs()
		choose := bytesChooser(game)
		d := newDuel(&choose, configs[int(which)%len(configs)])
		for steps := 0; len(choose) > 0 && steps < 500; steps++ {
			d.play(t, 1)
		}
	})
}
