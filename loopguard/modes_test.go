package loopguard

import (
	"fmt"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/unit"
)

func TestShadowCountsWhatItWouldHaveAdmittedAndRefusesNothing(t *testing.T) {
	d := newDesk(t, func(c *Config) { c.Identical.Mode = unit.Shadow })
	for i := range 20 {
		s := d.admits(bot, to("c", "a")...).States
		if over := i >= 8; s[Identical].Over != over || s[Identical].Detected != (i == 8) || s[Identical].Used != min(i+1, 8) {
			t.Errorf("message %d, identical: %+v", i+1, s[Identical])
		}
		if s[Consecutive].Used != i+1 {
			t.Errorf("message %d, consecutive: %+v", i+1, s[Consecutive])
		}
	}
	refusal := d.refuses(Consecutive, time.Hour, bot, to("c", "a")...)
	if s := refusal.States[Identical]; !s.Over || !s.Limit.Shadow {
		t.Errorf("identical: %+v", s)
	}
	d.now = 3 * time.Minute // the 8 that shadow would have admitted have left
	d.guard.Reply(int64(d.now), Reply{Conversation: idOf("c"), At: int64(d.now - 1)})
	if s := d.admits(bot, to("c", "a")...).States[Identical]; s.Over || s.Used != 1 {
		t.Errorf("after the window: %+v", s)
	}
}

func TestARuleThatIsOffDoesNotEvenCount(t *testing.T) {
	d := newDesk(t, func(c *Config) { c.Identical.Mode, c.Consecutive.Mode = unit.Off, unit.Off })
	for range 100 {
		if s := d.admits(bot, to("c", "a")...).States; s != [RuleCount]State{{Limit: s[0].Limit}, {Limit: s[1].Limit}} || s[0].Limit.Messages != 0 {
			t.Fatalf("got %+v", s)
		}
	}
	if n := d.guard.Entries(Identical) + d.guard.Entries(Consecutive); n != 0 {
		t.Errorf("%d keys are kept", n)
	}
}

func TestNearIsFourFifthsOfTheLimit(t *testing.T) {
	d := newDesk(t)
	for i := range 20 {
		s := d.admits(bot, to("c", fmt.Sprint(i/8))...).States
		if s[Consecutive].Near != (i+1 >= 16) {
			t.Errorf("message %d, consecutive: %+v", i+1, s[Consecutive])
		}
		if inText := i%8 + 1; s[Identical].Near != (inText >= 7) {
			t.Errorf("message %d, identical: %+v", i+1, s[Identical])
		}
	}
	if s := d.refuses(Consecutive, time.Hour, bot, to("c", "x")...).States[Consecutive]; s.Near {
		t.Errorf("a refusal is near: %+v", s)
	}
}

func TestAnIncidentIsDetectedOnce(t *testing.T) {
	d := newDesk(t)
	detected := func(want bool, rule Rule, conversation, text string) {
		t.Helper()
		decision := d.send(bot, to(conversation, text)...)
		if decision.Admitted || decision.States[rule].Detected != want || decision.States[1-rule].Detected {
			t.Errorf("at %v: got %+v, want detected %v", d.now, decision, want)
		}
	}
	for range 8 {
		d.admits(bot, to("c", "a")...)
		d.admits(bot, to("d", "a")...)
	}
	detected(true, Identical, "c", "a")
	detected(false, Identical, "c", "a")
	detected(true, Identical, "d", "a") // another conversation is another incident
	for i := range 12 {
		d.admits(bot, to("c", fmt.Sprint(i))...)
	}
	detected(true, Consecutive, "c", "x") // and so is another rule
	detected(false, Consecutive, "c", "y")
	d.reply("c", person, d.now)
	for i := range 20 {
		d.admits(bot, to("c", fmt.Sprint("again ", i))...)
	}
	detected(true, Consecutive, "c", "x") // something was admitted in between
	detected(false, Consecutive, "c", "y")
}

func TestAChangedLimitAppliesToWhatIsCounted(t *testing.T) {
	d := newDesk(t)
	for i := range 10 {
		d.now = time.Duration(i) * time.Minute
		d.admits(bot, to("c", fmt.Sprint(i))...)
	}
	cfg := DefaultConfig()
	cfg.Consecutive.Messages = 5
	d.rules = Compile(cfg)
	d.refuses(Consecutive, time.Hour+5*time.Minute-d.now, bot, to("c", "x")...)
	cfg.Consecutive.Messages = 11
	d.rules = Compile(cfg)
	d.admits(bot, to("c", "x")...)
	d.refuses(Consecutive, time.Hour-d.now, bot, to("c", "y")...)
}

func TestAChangedWindowAppliesToWhatIsCounted(t *testing.T) {
	d := newDesk(t)
	for i := range 20 {
		d.now = time.Duration(i) * time.Minute
		d.admits(bot, to("c", fmt.Sprint(i))...)
	}
	var flying Reservation
	other := to("other", "a")
	d.guard.Reserve(int64(d.now), d.rules, bot, other, &flying)
	cfg := DefaultConfig()
	cfg.Consecutive.Window = 10 * time.Minute
	d.rules = Compile(cfg)
	if s := d.admits(bot, to("c", "x")...).States[Consecutive]; s.Used != 11 || s.Limit.Window != 10*time.Minute {
		t.Errorf("got %+v", s)
	}
	short := d.rules
	long := Compile(DefaultConfig())
	d.rules = long
	if s := d.admits(bot, to("c", "y")...).States[Consecutive]; s.Used != 12 {
		t.Errorf("back to an hour: %+v", s)
	}
	d.now += 15 * time.Minute
	d.rules = short // of a request that began before the change
	if s := d.admits(bot, to("c", "z")...).States[Consecutive]; s.Used != 13 {
		t.Errorf("an older request turns the change back: %+v", s)
	}
	d.rules = long
	d.guard.Keep(&flying)
	if s := d.admits(Sender{Bot: bot.Bot, Token: idOf("second token")}, other...).States[Consecutive]; s.Used != 2 {
		t.Errorf("what was in flight is lost: %+v", s)
	}
}
