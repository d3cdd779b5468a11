package loopguard

import (
	"slices"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

var (
	aBot  = Sender{Bot: digest.ID{Lo: 1}, Token: digest.ID{Lo: 2}}
	hello = Message{Conversation: digest.ID{Hi: 1}, Content: digest.ID{Lo: 3}}
)

func TestLookingTellsWhatCountsAndCountsNothing(t *testing.T) {
	m, rules := NewMemory(8<<20), Compile(beside(Candidate{Messages: 2}, Candidate{}))
	start := int64(time.Hour)
	for i := range int64(8) {
		var held Reservation
		m.Reserve(start+i<<20, rules, aBot, []Message{hello}, &held)
		if i < 7 {
			m.Keep(&held)
		}
	}
	now := start + int64(time.Minute)
	for range 3 { // looking changes nothing
		list := m.Look(now, rules, aBot, hello)
		names := make([]string, len(list))
		for i, s := range list {
			names[i] = s.Rule
		}
		if !slices.Equal(names, []string{"consecutive", "identical", "identical_shadow"}) {
			t.Fatalf("got %v", names)
		}
		if s := list[0]; s.Used != 8 || len(s.Kept) != 7 || len(s.InFlight) != 1 || s.Wait != 0 || s.Limit.Messages != 20 {
			t.Errorf("got %+v", s)
		}
		if s := list[1]; s.Used != 8 || s.Wait != 2*time.Minute || s.Kept[1]-s.Kept[0] != 1<<20 {
			t.Errorf("got %+v", s)
		}
		if s := list[2]; s.Used != 2 || s.Wait != 2*time.Minute || !s.Limit.Shadow {
			t.Errorf("got %+v", s)
		}
	}
	if list := m.Look(now, rules, aBot, Message{Conversation: hello.Conversation}); len(list) != 1 || list[0].Used != 8 {
		t.Errorf("without a message: %+v", list)
	}
	if list := m.Look(now, rules, Sender{Bot: aBot.Bot}, hello); list[0].Used != 7 {
		t.Errorf("another token's message in flight is told: %+v", list)
	}
}

func TestAResetForgetsOneConversationForBothRules(t *testing.T) {
	m, rules := NewMemory(8<<20), Compile(DefaultConfig())
	now := int64(time.Hour)
	other := Message{Conversation: digest.ID{Hi: 65}, Content: hello.Content} // in the same shard
	send := func(message Message) bool {
		t.Helper()
		var held Reservation
		defer m.Keep(&held)
		return m.Reserve(now, rules, aBot, []Message{message}, &held).Admitted
	}
	for range 8 {
		send(hello)
		send(other)
	}
	if send(hello) || send(other) {
		t.Fatal("the 9th is admitted")
	}
	m.Reset(now, rules, hello.Conversation)
	for i := range 8 {
		if !send(hello) {
			t.Fatalf("number %d after the reset is refused", i+1)
		}
	}
	if send(hello) || send(other) {
		t.Error("the reset reaches further than it should")
	}
	if s := m.Look(now, rules, aBot, hello)[0]; s.Used != 8 {
		t.Errorf("after the reset %d count, want 8", s.Used)
	}
}
