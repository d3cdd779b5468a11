package sandbox

import "testing"

// command sends one and returns the conversation after it.
func (w *world) command(who, text, meta string) map[string]any {
	w.t.Helper()
	w.as(who).post(thread, `{"type":"command","text":"`+text+`","meta":`+meta+`}`).must(201)
	return w.conversation(conversationID)
}

// seat is a user's entry among the participants, nil when there is none.
func seat(conversation map[string]any, user string) map[string]any {
	for _, p := range conversation["participants"].([]any) {
		if o := p.(map[string]any); o["user"] == user {
			return o
		}
	}
	return nil
}

func TestCommandSet(t *testing.T) {
	w := newWorld(t)
	f := func(text string, want map[string]any) {
		t.Helper()
		equal(t, text, w.command("bot", text, "{}")["meta"], want)
	}
	f("/set intent order", map[string]any{"intent": "order"})
	f("/set note two words", map[string]any{"intent": "order", "note": "two words"})
	f("/set intent return", map[string]any{"intent": "return", "note": "two words"})
	f("/set intent ", map[string]any{"note": "two words"})
	f("/set note", map[string]any{})
	f("/set", map[string]any{})
	f("/set ", map[string]any{})
}

func TestCommandNotify(t *testing.T) {
	w := newWorld(t)
	w.as("bot").patch("/v2/conversations/"+conversationID, `{"status":"closed"}`).must(200)
	equal(t, "status", w.command("bot", "/notify", "{}")["status"], "queued")
	w.as("bot").patch("/v2/conversations/"+conversationID, `{"status":"closed"}`).must(200)
	equal(t, "the older name", w.command("bot", "/enqueue", "{}")["status"], "queued")
}

func TestCommandAssignAndAccept(t *testing.T) {
	w := newWorld(t)
	o := w.command("bot", "/assign", `{"users":["`+agentID+`","`+nowhere+`",7]}`)
	p := seat(o, agentID)
	equal(t, "assigned", []any{p["inbox"], p["accepted"], p["role"], p["name"]}, []any{true, false, "agent", "Alex Agent"})
	equal(t, "participants", len(o["participants"].([]any)), 2)

	w.command("bot", "/notify", "{}")
	o = w.command("agent", "/accept", "{}")
	p = seat(o, agentID)
	equal(t, "accepted", []any{p["inbox"], p["accepted"], p["active"], o["status"]}, []any{false, true, true, "active"})
}

func TestCommandJoinAndLeave(t *testing.T) {
	w := newWorld(t)
	o := w.command("agent", "/join", "{}")
	equal(t, "joined, not responsible", seat(o, agentID)["accepted"], false)
	o = w.command("agent", "/leave", "{}")
	equal(t, "somebody is left", []any{o["status"], seat(o, agentID)["active"]}, []any{"active", false})
	equal(t, "the last one out", w.command("bot", "/leave", "{}")["status"], "closed")
	w.as("").post("/sandbox/say", `{"text":"Still there?"}`).must(201)
	equal(t, "the consumer speaks again", w.conversation(conversationID)["status"], "queued")
}

func TestMessageImpliesJoining(t *testing.T) {
	w := newWorld(t)
	w.as("second bot").post(thread, `{"text":"x"}`).must(201)
	equal(t, "a bot's own role", seat(w.conversation(conversationID), secondBotID)["accepted"], false)
	w.as("agent").post(thread, `{"text":"x","isBackchannel":true}`).must(201)
	equal(t, "backchannel", seat(w.conversation(conversationID), agentID)["accepted"], false)
	w.as("second bot").post(thread, `{"text":"x","role":"agent"}`).must(201)
	equal(t, "role agent", seat(w.conversation(conversationID), secondBotID)["accepted"], true)
	w.as("second agent").post(thread, `{"text":"x","role":"contact"}`).must(201)
	equal(t, "who carries a consumer's words does not join", seat(w.conversation(conversationID), secondAgentID) == nil, true)
}

func TestMentionSetsTheInbox(t *testing.T) {
	w := newWorld(t)
	w.as("bot").post(thread, `{"type":"mention","text":"@Alex look","meta":{"targetUser":"`+agentID+`"}}`).must(201)
	equal(t, "inbox", seat(w.conversation(conversationID), agentID)["inbox"], true)
}

func TestBotCommandsAndUnknownOnesHaveNoEffect(t *testing.T) {
	w := newWorld(t)
	before := w.conversation(conversationID)
	for _, text := range []string{">order 7", "/dance", "/", "set a b"} {
		after := w.command("bot", text, "{}")
		equal(t, text, []any{after["status"], after["meta"], after["participants"]},
			[]any{before["status"], before["meta"], before["participants"]})
	}
}
