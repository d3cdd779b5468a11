package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// sandbox is a running `gateway sandbox` with the users that it printed.
type sandbox struct {
	*process
	address string
	tokens  map[string]string // "bot", "second bot", "agent", "admin", …
}

func startSandbox(t *testing.T) *sandbox {
	t.Helper()
	s := &sandbox{address: freeAddress(t)}
	s.start(t)
	return s
}

// start runs it on its address, for the first time or again.
func (s *sandbox) start(t *testing.T) {
	t.Helper()
	s.process = launch(t, "sandbox", "--listen", s.address)
	eventually(t, "the sandbox prints its tokens", func() error {
		if s.tokens = readTokens(s.stdout.String()); s.tokens["admin"] == "" { // the last of them
			return fmt.Errorf("read only %d tokens", len(s.tokens))
		}
		return listening(s.address)
	})
	for _, name := range []string{"bot", "second bot", "agent", "admin"} {
		if s.tokens[name] == "" {
			t.Fatalf("the sandbox printed no token of the %s", name)
		}
	}
}

// readTokens finds the lines `  name   token`.
func readTokens(printed string) map[string]string {
	tokens := map[string]string{}
	for line := range strings.Lines(printed) {
		words := strings.Fields(line)
		if len(words) < 2 || len(words) > 3 || !strings.HasPrefix(line, " ") {
			continue
		}
		token := words[len(words)-1]
		if len(token) >= 32 && !strings.ContainsAny(token, "/:") {
			tokens[strings.Join(words[:len(words)-1], " ")] = token
		}
	}
	return tokens
}

func (s *sandbox) url() string { return "http://" + s.address }

// direct sends a call past the gateway.
func (s *sandbox) direct(t *testing.T, c call) answer {
	t.Helper()
	a, err := try(s.address, c)
	if err != nil {
		t.Fatalf("the sandbox does not answer: %v", err)
	}
	return a
}

// messages is how many messages have been created in a conversation.
func (s *sandbox) messages(t *testing.T, conversation string) int {
	t.Helper()
	counts := at(s.direct(t, call{path: "/sandbox/stats"}).object(t), "messagesByConversation", conversation)
	n, _ := counts.(float64)
	return int(n)
}

// newConversation opens a conversation with a consumer of its own.
func (s *sandbox) newConversation(t *testing.T, consumer int) string {
	t.Helper()
	a := s.direct(t, call{path: "/v2/conversations", token: s.tokens["admin"], body: fmt.Sprintf(
		`{"type":"contact","contact":{"profile":{"name":"Consumer %d","email":"consumer%d@example.com"}}}`, consumer, consumer)})
	wantStatus(t, a, 201)
	id, _ := at(a.object(t), "id").(string)
	return id
}

// fault makes the sandbox misbehave.
func (s *sandbox) fault(t *testing.T, fault map[string]any) {
	t.Helper()
	body, err := json.Marshal(fault)
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, s.direct(t, call{path: "/sandbox/faults", body: string(body)}), 201)
}

func TestTheWholeStoryInFrontOfTheSandbox(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: noRequestLimits})
	bot, agent, thread := s.tokens["bot"], s.tokens["agent"], s.newConversation(t, 1)

	// A message that the API refuses does not count.
	for range 10 {
		wantJSONError(t, g.do(t, routes[1].send(bot, thread, `"text":""`)), 422)
		wantJSONError(t, g.do(t, routes[0].send(bot, conversation(99), text("no such conversation"))), 404)
	}
	fill(t, g, bot, thread)
	if got := s.messages(t, thread); got != 20 {
		t.Errorf("%d messages were created, want 20", got)
	}
	wantStatus(t, g.do(t, routes[1].send(s.tokens["second bot"], thread, text("me too"))), 201)
	wantBlocked(t, g, bot, thread)
	wantStatus(t, g.do(t, routes[1].send(agent, thread, text("a person is here"))), 201)
	wantFree(t, g, bot, thread)
	if got := s.messages(t, thread); got != 23 {
		t.Errorf("%d messages were created, want 23", got)
	}
}

func TestConcurrentMessagesNeverOvershootInTheSandbox(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: noRequestLimits})
	distinct, same := s.newConversation(t, 1), s.newConversation(t, 2)
	g.together(t, 100, func(i int) call {
		return routes[i%2].send(s.tokens["bot"], distinct, text(fmt.Sprintf("message %d", i)))
	})
	g.together(t, 100, func(i int) call { return routes[i%2].send(s.tokens["bot"], same, text("hello")) })
	if got := s.messages(t, distinct); got != 20 {
		t.Errorf("of 100 distinct messages %d were created, want 20", got)
	}
	if got := s.messages(t, same); got != 8 {
		t.Errorf("of 100 identical messages %d were created, want 8", got)
	}
}

func TestAnUpsertIsNoWayRound(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: noRequestLimits})
	create := func(messages []string) answer {
		return g.do(t, call{path: "/v2/conversations", token: s.tokens["bot"], body: `{"type":"contact",` +
			`"contact":{"profile":{"name":"Ada","telephone":"+3197000000077"}},"messages":[` + strings.Join(objects(messages), ",") + `]}`})
	}
	first := create(numbered(0, 5))
	wantStatus(t, first, 201)
	thread, _ := at(first.object(t), "id").(string)
	wantStatus(t, create(numbered(10, 15)), 200)
	for _, message := range numbered(30, 5) {
		wantStatus(t, g.do(t, routes[1].send(s.tokens["bot"], thread, message)), 201)
	}
	wantBlocked(t, g, s.tokens["bot"], thread)
}

func TestTheSandboxMisbehavesAndTheClientSeesJSON(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{upstream: "timeout: 1s", rest: noRequestLimits})
	f := func(fault map[string]any, status int) {
		t.Helper()
		s.fault(t, fault)
		a := g.do(t, call{path: "/v2/users/" + botUser, token: s.tokens["admin"]})
		wantJSONError(t, a, status)
		if strings.Contains(string(a.body), "<html") {
			t.Errorf("HTML reached the client: %s", a)
		}
	}
	f(map[string]any{"status": 502, "html": true}, 502)
	f(map[string]any{"status": 503, "html": true}, 503)
	f(map[string]any{"raw": "garbage\r\n\r\n"}, 502)
	f(map[string]any{"truncate": true, "body": `{"id":"truncated"}`}, 502)
	f(map[string]any{"truncate": true, "chunked": true, "body": `{"id":"truncated"}`}, 502)
	f(map[string]any{"delay": "2s"}, 503)
}

// A message of which nobody knows whether it was created keeps its place.
func TestALostAnswerKeepsItsPlace(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: noRequestLimits})
	thread := s.newConversation(t, 1)
	for range 3 {
		s.fault(t, map[string]any{"method": "POST", "path": "/v2/conversations", "after": true, "close": true})
		a := g.do(t, routes[1].send(s.tokens["bot"], thread, text("hello")))
		if a.status != 502 && a.status != 503 {
			t.Fatalf("got %s, want 502 or 503", a)
		}
	}
	for range 5 {
		wantStatus(t, g.do(t, routes[1].send(s.tokens["bot"], thread, text("hello"))), 201)
	}
	wantOurError(t, g.do(t, routes[1].send(s.tokens["bot"], thread, text("hello"))), 429, "identical_messages")
	if got := s.messages(t, thread); got != 8 {
		t.Errorf("%d messages were created, want 8: none twice, none beyond the limit", got)
	}
}
