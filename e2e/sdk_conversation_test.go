package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// turn is a step of conversation.js: what the bot's author got, and what has
// become of the conversation.
type turn struct {
	Step, Status, Remembered string
	Result                   json.RawMessage
	Meta                     map[string]any
	Participants             []participant
}

type participant struct {
	User                    string
	Active, Accepted, Inbox bool
}

// takesPart finds a user among the participants.
func (v turn) takesPart(user string) participant {
	i := slices.IndexFunc(v.Participants, func(p participant) bool { return p.User == user })
	if i < 0 {
		return participant{}
	}
	return v.Participants[i]
}

// sentence is a message as a conversation keeps it.
type sentence struct {
	Type, Role, Text, User string
	IsBackchannel          bool
}

// thread reads a conversation in order, past the gateway.
func (s *sandbox) thread(t *testing.T, conversation string) []sentence {
	t.Helper()
	a := s.direct(t, call{path: "/v2/conversations/" + conversation + "/messages?limit=1000", token: s.tokens["admin"]})
	wantStatus(t, a, 200)
	var list []sentence
	if err := json.Unmarshal(a.body, &list); err != nil {
		t.Fatalf("cannot read the conversation: %v", err)
	}
	return list
}

// words are the texts of a conversation.
func words(list []sentence) []string {
	var texts []string
	for _, m := range list {
		texts = append(texts, m.Text)
	}
	return texts
}

// Users of every sandbox.
const (
	sandboxBot  = "65aa001122334455667700c1"
	secondAgent = "65aa001122334455667700b2"
)

func TestWhatTheSDKSaysAndSetsIsInTheConversation(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: manyRequests})
	id := s.newConversation(t, 1)
	before := s.arrivals(t)
	turns := map[string]turn{}
	for _, v := range runScript[turn](t, "conversation.js", map[string]any{
		"host": g.url(), "token": s.tokens["bot"], "conversation": id, "colleague": secondAgent,
	}) {
		turns[v.Step] = v
	}
	arrived := s.arrivals(t).since(before)

	list := s.thread(t, id)
	want := []string{
		"one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
		"/set intent order a pizza", "/set mybot.status open", "/set mybot.status ",
		"/join", "/accept", "/assign", "/leave", "/notify",
	}
	if got := words(list); !slices.Equal(got, want) {
		t.Fatalf("the conversation is\n%q, want\n%q", got, want)
	}
	for i, m := range list {
		if isCommand := m.Type == "command"; isCommand != (i >= 9) {
			t.Errorf("%q is of type %s", m.Text, m.Type)
		}
		if m.IsBackchannel != (m.Text == "four" || m.Text == "five") {
			t.Errorf("%q: isBackchannel %v", m.Text, m.IsBackchannel)
		}
	}
	wantEffects(t, turns)
	wantReturned(t, turns)
	// Nine messages in six requests: an array is one request.
	if got := arrived.Routes["POST /v2/conversations/{id}/messages"]; got != 6+8+1 {
		t.Errorf("%d requests made the messages, want 15", got)
	}
	wantAllThroughTheGateway(t, g, arrived)
}

// wantEffects checks what the commands have done to the conversation.
func wantEffects(t *testing.T, turns map[string]turn) {
	t.Helper()
	f := func(step, what string, holds func(turn) bool) {
		t.Helper()
		if v := turns[step]; !holds(v) {
			t.Errorf("after %s: not %s: %s, meta %v, participants %+v", step, what, v.Status, v.Meta, v.Participants)
		}
	}
	f("sendMessage", "empty meta", func(v turn) bool { return len(v.Meta) == 0 })
	f("set", "meta with the intent", func(v turn) bool { return v.Meta["intent"] == "order a pizza" })
	f("set another", "remembered in the context", func(v turn) bool { return v.Remembered == "order a pizza" })
	f("set another", "meta with both", func(v turn) bool { return len(v.Meta) == 2 && v.Meta["mybot.status"] == "open" })
	f("unset", "meta with the intent only", func(v turn) bool { return len(v.Meta) == 1 && v.Meta["intent"] != nil })
	f("unset", "queued", func(v turn) bool { return v.Status == "queued" })
	f("join", "a participant", func(v turn) bool { p := v.takesPart(sandboxBot); return p.Active && !p.Accepted })
	f("accept", "accepted and active", func(v turn) bool { return v.takesPart(sandboxBot).Accepted && v.Status == "active" })
	f("assign", "in the colleague's inbox", func(v turn) bool { return v.takesPart(secondAgent).Inbox })
	f("leave", "closed", func(v turn) bool { return v.Status == "closed" && !v.takesPart(sandboxBot).Accepted })
	f("notify", "queued", func(v turn) bool { return v.Status == "queued" })
}

// wantReturned checks what the bot's author got back.
func wantReturned(t *testing.T, turns map[string]turn) {
	t.Helper()
	one := func(step, want string) {
		t.Helper()
		var m sentence
		if err := json.Unmarshal(turns[step].Result, &m); err != nil || m.Text != want {
			t.Errorf("%s gives %s, want the message %q", step, turns[step].Result, want)
		}
	}
	several := func(step string, want ...string) {
		t.Helper()
		var list []sentence
		if err := json.Unmarshal(turns[step].Result, &list); err != nil || !slices.Equal(words(list), want) {
			t.Errorf("%s gives %s, want the messages %q", step, turns[step].Result, want)
		}
	}
	one("say", "one")
	several("say array", "two", "three")
	several("say array with options", "four", "five")
	one("say with callback", "six")
	several("say array with callback", "seven", "eight")
	one("sendMessage", "nine")
	one("set", "/set intent order a pizza")
	if got, want := string(turns["send to nobody"].Result), fmt.Sprintf("%q", "Conversation not found"); got != want {
		t.Errorf("the callback's error says %s, want %s", got, want)
	}
}
