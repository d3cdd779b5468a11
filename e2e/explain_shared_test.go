package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What one gateway counts, another one of the same Redis explains, even with a
// clock that is ten minutes wrong; and without Redis it says what it tells.
func TestExplainThroughAnotherGatewayOfTheSameRedis(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	up := startStub(t, nil).URL
	const limits = "limits: {per_ip: {mode: off}, per_key: {requests: 4, window: 10m}}\nloopguard: {identical: {messages: 2}}\n"
	counts := startGateway(t, up, redis.shared("", limits))
	wrong := redis.shared("", limits)
	wrong.env = []string{clockOffset + "=10m"}
	explains := startGateway(t, up, wrong)
	bot := mint(botUser, botScope)
	for range 2 {
		wantStatus(t, counts.do(t, routes[0].send(bot, conversation(1), text("hello"))), 201)
	}
	wantOurError(t, counts.do(t, routes[0].send(bot, conversation(1), text("hello"))), 429, "identical_messages")
	question := fmt.Sprintf(`{"key":%q,"conversation":%q,"message":{"text":"hello"}}`, bot, conversation(1))
	for range 2 { // asking changes nothing
		explains.wantExplained(t, question, "identical", map[string]int{"per_key": 3, "identical": 2, "consecutive": 2})
	}
	wantStatus(t, counts.do(t, call{path: "/v2/users", token: bot}), 200)
	wantOurError(t, counts.do(t, call{path: "/v2/users", token: bot}), 429, "rate_limited_key")
	explains.wantExplained(t, fmt.Sprintf(`{"key":%q}`, bot), "per_key", map[string]int{"per_key": 4})

	redis.kill()
	status, o := explains.ask(t, "/admin/v1/explain", question, nil)
	if c := counter(o, "per_key"); status != 200 || o["refused_by"] != nil || c["used"] != 0.0 || c["limit"] != 1.0 ||
		strings.Count(fmt.Sprint(o["notes"]), "cannot ask the shared store") != 1 {
		t.Errorf("without Redis: %d %v", status, o)
	}
	wantStatus(t, explains.do(t, call{path: "/v2/users", token: bot}), 200)
	if _, o := explains.ask(t, "/admin/v1/explain", question, nil); o["refused_by"] != "per_key" {
		t.Errorf("a quarter of the limit was used up here: %v", o)
	}
}

// wantExplained demands who refuses and how much is used, with every entry
// moments ago by the clock of the answer.
func (g *gateway) wantExplained(t *testing.T, question, refusedBy string, used map[string]int) {
	t.Helper()
	status, o := g.ask(t, "/admin/v1/explain", question, nil)
	if status != 200 || o["refused_by"] != refusedBy || o["notes"] != nil {
		t.Errorf("%d %v, want a refusal by %s and no note", status, o, refusedBy)
	}
	at, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(o["at"]))
	for rule, want := range used {
		c := counter(o, rule)
		entries, _ := c["entries"].([]any)
		if c["used"] != float64(want) || len(entries) != want {
			t.Errorf("%s: %v, want %d used", rule, c, want)
		}
		for _, entry := range entries {
			if when, err := time.Parse(time.RFC3339Nano, fmt.Sprint(entry)); err != nil || at.Sub(when).Abs() > time.Minute {
				t.Errorf("%s: an entry of just now is at %v, the answer at %v", rule, entry, at)
			}
		}
	}
}
