package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// bot is one run of the official SDK.
type bot struct {
	Host         string         `json:"host"`
	Token        string         `json:"token"`
	RefreshToken string         `json:"refreshToken,omitempty"`
	Email        string         `json:"email,omitempty"`
	Pagination   map[string]any `json:"pagination,omitempty"`
	Calls        []sdkCall      `json:"calls"`
}

// sdkCall is a method of the SDK, called a number of times.
type sdkCall struct {
	Name  string `json:"name"`
	Args  []any  `json:"args"`
	Times int    `json:"times,omitempty"`
}

// outcome is what the author of a bot sees of one call.
type outcome struct {
	Call       string
	OK         bool
	Token      string // the one that the SDK holds after the call
	Message    string // err.message
	StatusCode int
	Body       map[string]any // err.response.body
	Result     json.RawMessage
	Headers    map[string]string
}

// drive runs the calls with the SDK.
func (b bot) drive(t *testing.T) []outcome {
	t.Helper()
	input, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "sdk/drive.js")
	node.Stdin = bytes.NewReader(input)
	var stdout, stderr bytes.Buffer
	node.Stdout, node.Stderr = &stdout, &stderr
	if err := node.Run(); err != nil {
		t.Fatalf("cannot drive the SDK: %v\n%s", err, stderr.String())
	}
	var outcomes []outcome
	decoder := json.NewDecoder(&stdout)
	for decoder.More() {
		var o outcome
		if err := decoder.Decode(&o); err != nil {
			t.Fatalf("cannot read what the SDK said: %v", err)
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

func wantOK(t *testing.T, o outcome) {
	t.Helper()
	if !o.OK {
		t.Errorf("%s failed: %d %s", o.Call, o.StatusCode, o.Message)
	}
}

// wantSDKRefusal checks that the SDK's err.message is the gateway's own text.
func wantSDKRefusal(t *testing.T, o outcome, code string) {
	t.Helper()
	if o.OK || o.StatusCode != 429 {
		t.Errorf("%s: ok %v, status %d; want 429", o.Call, o.OK, o.StatusCode)
		return
	}
	if got := at(o.Body, "error", "code"); got != code {
		t.Errorf("%s: error.code %v, want %s", o.Call, got, code)
	}
	if text := at(o.Body, "message"); o.Message == "" || o.Message != text {
		t.Errorf("%s: err.message is %q, want our %q", o.Call, o.Message, text)
	}
	if strings.Contains(o.Message, "Response code") {
		t.Errorf("%s: err.message is got's own %q", o.Call, o.Message)
	}
}

func message(s string) map[string]any { return map[string]any{"text": s} }

func TestTheSDKShowsOurRefusals(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: noRequestLimits})
	first, second, third := s.newConversation(t, 1), s.newConversation(t, 2), s.newConversation(t, 3)
	array := make([]map[string]any, 21)
	for i := range array {
		array[i] = message(fmt.Sprintf("line %d", i))
	}
	outcomes := bot{Host: g.url(), Token: s.tokens["bot"], Calls: []sdkCall{
		{"send", []any{first, "hello"}, 9},
		{"messages.create", []any{map[string]any{"conversation": second, "text": "hello"}}, 9},
		{"send", []any{third, array}, 1},
		{"send", []any{third, array[:20]}, 1},
		{"send", []any{third, "one more"}, 1},
	}}.drive(t)
	if len(outcomes) != 21 {
		t.Fatalf("%d outcomes, want 21", len(outcomes))
	}
	for i, o := range outcomes {
		switch i {
		case 8, 17:
			wantSDKRefusal(t, o, "identical_messages")
		case 18, 20:
			wantSDKRefusal(t, o, "consecutive_messages")
		default:
			wantOK(t, o)
		}
	}
	if got := s.messages(t, first) + s.messages(t, second) + s.messages(t, third); got != 36 {
		t.Errorf("%d messages were created, want 36", got)
	}
}

func TestTheSDKShowsOurRequestLimits(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	// A long window, so that a slow machine can't let the SDK through.
	g := startGateway(t, s.url(), setup{rest: "limits: {per_ip: {mode: off}, per_key: {requests: 2, window: 1m}}\n"})
	thread := s.newConversation(t, 1)
	outcomes := bot{Host: g.url(), Token: s.tokens["bot"], Calls: []sdkCall{
		{"send", []any{thread, "one"}, 2},
		{"send", []any{thread, "three"}, 1},
		{"send", []any{thread, []any{message("four"), message("five")}}, 1},
		{"messages.create", []any{map[string]any{"conversation": thread, "text": "six"}}, 1},
		{"conversations.create", []any{map[string]any{"type": "agent", "messages": []any{message("seven")}}}, 1},
		{"contacts.update", []any{"65aa0c00aabbccddeeff0001", map[string]any{"meta": map[string]any{}}}, 1},
	}}.drive(t)
	for i, o := range outcomes {
		if i < 2 {
			wantOK(t, o)
		} else {
			wantSDKRefusal(t, o, "rate_limited_key")
		}
	}
}

func TestTheSDKWaitsAsLongAsWeSay(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: "limits: {per_ip: {mode: off}, per_key: {requests: 3, window: 1s}}\n"})
	started := time.Now()
	outcomes := bot{Host: g.url(), Token: s.tokens["bot"], Calls: []sdkCall{
		{"conversations.get", []any{"65aa0e00aabbccddeeff0001"}, 5},
	}}.drive(t)
	for _, o := range outcomes {
		wantOK(t, o)
	}
	if took := time.Since(started); took < time.Second || took > 30*time.Second {
		t.Errorf("five requests at three a second took %v, want a little more than a second", took)
	}
}

func TestTheSDKFollowsLinksThroughTheGateway(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: noRequestLimits})
	thread := s.newConversation(t, 1)
	const n = 45
	for i := range n {
		wantStatus(t, s.direct(t, routes[1].send(s.tokens["agent"], thread, text(fmt.Sprintf("line %d", i)))), 201)
	}
	outcomes := bot{Host: g.url(), Token: s.tokens["bot"], Pagination: map[string]any{"limit": 10, "backoff": 1}, Calls: []sdkCall{
		{"messages.list", []any{map[string]any{"conversation": thread}}, 1},
	}}.drive(t)
	wantOK(t, outcomes[0])
	var list []map[string]any
	if err := json.Unmarshal(outcomes[0].Result, &list); err != nil || len(list) != n {
		t.Errorf("the SDK listed %d messages, want %d (%v)", len(list), n, err)
	}
	// Each page went through the gateway: no link led past it.
	if got := g.metrics(t).value(t, `gateway_upstream_requests_total{code="200"}`); got != 5 {
		t.Errorf("%v pages went through the gateway, want 5", got)
	}
}

func TestTheSDKSeesLimitHeadersOfLists(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{})
	o := bot{Host: g.url(), Token: s.tokens["bot"], Calls: []sdkCall{{"conversations.list", []any{map[string]any{"limit": 1}}, 1}}}.drive(t)[0]
	wantOK(t, o)
	if got := o.Headers["ratelimitLimit"]; got != "20" {
		t.Errorf("list.headers has ratelimitLimit %q, want 20: %v", got, o.Headers)
	}
}

func TestTheSDKRefreshesAnExpiredTokenThroughTheGateway(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	user := s.mint(t, `{"role":"bot"}`)
	expired := s.mint(t, fmt.Sprintf(`{"user":%q,"expiresIn":"-1h"}`, user["user"]))
	g := startGateway(t, s.url(), setup{})
	login := s.direct(t, call{path: "/v2/auth/token", body: fmt.Sprintf(`{"email":%q,"password":"sandbox"}`, user["email"])})
	wantStatus(t, login, 201)
	refresh, _ := at(login.object(t), "refreshToken").(string)

	stale, _ := expired["token"].(string)
	email, _ := user["email"].(string)
	o := bot{Host: g.url(), Token: stale, RefreshToken: refresh, Email: email, Calls: []sdkCall{
		{"conversations.get", []any{"65aa0e00aabbccddeeff0001"}, 1},
	}}.drive(t)[0]
	wantOK(t, o)
	if o.Token == stale || o.Token == "" {
		t.Error("the SDK still holds the expired token")
	}
}

// mint makes a token of the sandbox's.
func (s *sandbox) mint(t *testing.T, body string) map[string]any {
	t.Helper()
	a := s.direct(t, call{path: "/sandbox/tokens", body: body})
	wantStatus(t, a, 201)
	return a.object(t)
}

func TestARefusedRefreshEndsTheSDKsTries(t *testing.T) {
	t.Parallel()
	var refreshes atomic.Int32
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/auth/token" {
			refreshes.Add(1)
			reply(401, "application/json", `{"error":{"message":"The refresh was refused"}}`)(w, r)
			return
		}
		reply(401, "application/json", `{"error":{"message":"jwt expired"}}`)(w, r)
	})
	s := startSandbox(t)
	g := startGateway(t, up.URL, setup{})
	o := bot{Host: g.url(), Token: s.tokens["bot"], RefreshToken: s.tokens["bot"], Email: "bot@example.com", Calls: []sdkCall{
		{"conversations.get", []any{"65aa0e00aabbccddeeff0001"}, 1},
	}}.drive(t)[0]
	if o.OK {
		t.Error("the call succeeded without a valid token")
	}
	// The gateway kept error.message when it added message, so the SDK knew that
	// it had to refresh; and it gave up when that was refused.
	if got := refreshes.Load(); got != 1 {
		t.Errorf("the SDK tried to refresh %d times, want once", got)
	}
}

func TestTheSDKsReplaceNeedsItsException(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	replace := []sdkCall{{"messages.replace", []any{"65aa0f00aabbccddeeff0011", map[string]any{"text": "new"}}, 1}}
	closed := startGateway(t, s.url(), setup{})
	o := bot{Host: closed.url(), Token: s.tokens["bot"], Calls: replace}.drive(t)[0]
	if o.OK || o.StatusCode != 405 || !strings.Contains(o.Message, "PATCH") {
		t.Errorf("got %d %q, want 405 and advice to use PATCH", o.StatusCode, o.Message)
	}
	open := startGateway(t, s.url(), setup{rest: "methods: {exceptions: [{method: PUT, path: \"/v2/messages/{id}\"}]}\n"})
	o = bot{Host: open.url(), Token: s.tokens["bot"], Calls: replace}.drive(t)[0]
	if o.StatusCode == 405 {
		t.Errorf("got %d %q although PUT is open here", o.StatusCode, o.Message)
	}
}
