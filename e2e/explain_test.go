package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ask sends JSON to the admin API.
func (g *gateway) ask(t *testing.T, path, body string, header map[string]string) (int, map[string]any) {
	t.Helper()
	a, err := try(g.admin, call{path: path, body: body, header: header})
	if err != nil {
		t.Fatal(err)
	}
	o := map[string]any{}
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return a.status, o
}

// counter finds the counter of a rule in an explanation.
func counter(o map[string]any, rule string) map[string]any {
	list, _ := o["counters"].([]any)
	for _, c := range list {
		if c := c.(map[string]any); c["rule"] == rule {
			return c
		}
	}
	return nil
}

func TestExplainTellsWhatARequestWouldMeet(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{
		listen: "trusted_proxies: [127.0.0.0/8]",
		rest:   "limits: {per_ip: {requests: 5, window: 10m}, per_key: {window: 10m}}\nloopguard: {identical: {messages: 2}}\n",
	})
	client := map[string]string{"X-Forwarded-For": "203.0.113.9"}
	bot := mint(botUser, botScope)
	send := func() answer {
		c := routes[0].send(bot, conversation(1), text("hello"))
		c.header = client
		return g.do(t, c)
	}
	wantStatus(t, send(), 201)
	wantStatus(t, send(), 201)
	wantStatus(t, send(), 429) // identical
	question := fmt.Sprintf(`{"ip":"203.0.113.9","key":%q,"conversation":%q,"message":{"text":"hello"}}`, bot, conversation(1))
	for range 2 { // asking changes nothing
		status, o := g.ask(t, "/admin/v1/explain", question, nil)
		if status != 200 || o["role"] != "bot" || o["refused_by"] != "identical" || o["passes_at"] == nil {
			t.Fatalf("%d %v", status, o)
		}
		for rule, want := range map[string]float64{"per_ip": 3, "per_key": 3, "identical": 2, "consecutive": 2} {
			c := counter(o, rule)
			if c["used"] != want || len(c["entries"].([]any)) != int(want) || c["refuses"] != (rule == "identical") {
				t.Errorf("%s: %v, want %v used", rule, c, want)
			}
		}
	}
	if _, o := g.ask(t, "/admin/v1/explain?user="+botUser+"&conversation="+conversation(1), "", nil); o["refused_by"] != nil || counter(o, "consecutive")["used"] != 2.0 || counter(o, "identical") != nil || o["notes"] == nil {
		t.Errorf("without a message: %v", o)
	}
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(bot+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, "explain", "--config", g.config, "--ip", "203.0.113.9", "--key-file", keyFile, "--conversation", conversation(1), "--message", `{"text":"hello"}`)
	for _, want := range []string{"It would be refused now by identical, and admitted in ", "2 of 2 in 3m0s, room in ", "3 of 5 in 10m0s\n", " ago\n"} {
		if r.code != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("exit code %d, no %q in\n%s%s", r.code, want, r.stdout, r.stderr)
		}
	}
	g.wantRefusedQuestions(t)
	if strings.Contains(r.stdout+g.logs(), "203.0.113.9") || strings.Contains(r.stdout+g.logs(), bot) {
		t.Error("an address or a key is printed in clear")
	}
}

func (g *gateway) wantRefusedQuestions(t *testing.T) {
	t.Helper()
	f := func(path, body string, status int, message string) {
		t.Helper()
		if got, o := g.ask(t, path, body, nil); got != status || !strings.Contains(fmt.Sprint(o["message"]), message) {
			t.Errorf("%s %s: %d %v, want %d with %q", path, body, got, o, status, message)
		}
	}
	f("/admin/v1/explain", "", 400, "expected an ip, a key, a user or a conversation")
	f("/admin/v1/explain?ip=nobody", "", 400, "cannot read the ip")
	f("/admin/v1/explain?ipp=1", "", 400, `unknown parameter "ipp"`)
	f("/admin/v1/explain?ip=192.0.2.1&ip=192.0.2.2", "", 400, "set twice")
	f("/admin/v1/explain?ip=0123456789ab", "", 400, "only while it is among the most refused")
	f("/admin/v1/explain?role=robot&key=x", "", 400, "expected bot or human")
	f("/admin/v1/explain?conversation="+conversation(1), "", 400, "cannot tell which bot is meant")
	f("/admin/v1/explain", `{"addr":"x"}`, 400, "unknown field")
	f("/admin/v1/explain?user=u&conversation=c&message={", "", 400, "cannot read the message")
	f("/admin/v1/top?n=0", "", 400, "from 1 to 500")
	f("/admin/v1/loopguard/reset", `{"conversation":""}`, 400, "expected the id of a conversation")
	f("/admin/v1/loopguard/reset", "", 405, "Use POST")
	if r := run(t, "explain", "--config", g.config); r.code != 1 || !strings.Contains(r.stderr, "expected an ip") {
		t.Errorf("a question without a part: %d %s", r.code, r.stderr)
	}
}

func TestTheMostRefusedAreListedByDigestsThatExplainUnderstands(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{
		listen: "trusted_proxies: [127.0.0.0/8]",
		rest:   "limits: {per_ip: {requests: 3, window: 10m}, per_key: {requests: 2, window: 10m}}\nloopguard: {consecutive: {messages: 1}}\n",
	})
	get := func(ip, token string, n int) (last answer) {
		for range n {
			last = g.do(t, call{path: "/v2/users", token: token, header: map[string]string{"X-Forwarded-For": ip}})
		}
		return last
	}
	greedy := g.line(t, get("2001:db8::1", "", 3+7))["ip"]
	get("203.0.113.1", "", 3+4)
	g.do(t, call{path: "/v2/users", token: "t", header: map[string]string{"X-Forwarded-For": "203.0.113.2"}})
	key := g.line(t, get("203.0.113.3", "t", 1+2))["key"]
	bot := mint(botUser, botScope)
	for i, m := range numbered(1, 2) {
		c := routes[0].send(bot, conversation(1), m)
		c.header = map[string]string{"X-Forwarded-For": fmt.Sprintf("203.0.113.%d", 10+i)}
		g.do(t, c)
	}
	status, o := g.ask(t, "/admin/v1/top?n=1", "", nil)
	first := func(kind string) map[string]any { return o[kind].([]any)[0].(map[string]any) }
	if status != 200 || len(o["ips"].([]any)) != 1 || first("ips")["who"] != greedy || first("ips")["refused"] != 7.0 ||
		first("keys")["who"] != key || first("keys")["refused"] != 2.0 || first("conversations")["rule"] != "consecutive" {
		t.Fatalf("%d %v, want the address %v and the key %v", status, o, greedy, key)
	}
	for part, want := range map[string][2]any{
		"ip": {first("ips")["who"], "per_ip"}, "key": {key, "per_key"}, "conversation": {first("conversations")["who"], "consecutive"},
	} {
		if _, o := g.ask(t, fmt.Sprintf("/admin/v1/explain?%s=%s", part, want[0]), "", nil); o["refused_by"] != want[1] {
			t.Errorf("%s %v is not explained: %v", part, want[0], o)
		}
	}
	if _, limits, err := fetch("http://" + g.admin + "/admin/v1/limits"); err != nil || !strings.Contains(limits, fmt.Sprint(greedy)) || !strings.Contains(limits, fmt.Sprint(key)) {
		t.Errorf("the console does not tell who is limited: %v, %s", err, limits)
	}
}

func TestAnOperatorMayResetAConversation(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: "loopguard: {identical: {messages: 2}, consecutive: {messages: 3}}\n"})
	send := func() answer { return g.do(t, routes[0].send(mint(botUser, botScope), conversation(1), text("hello"))) }
	for _, want := range []int{201, 201, 429} {
		wantStatus(t, send(), want)
	}
	reset := fmt.Sprintf(`{"conversation":%q}`, conversation(1))
	for name, header := range map[string]map[string]string{
		"a form":               {"Content-Type": "text/plain"},
		"a page elsewhere":     {"Sec-Fetch-Site": "cross-site"},
		"a page of a stranger": {"Origin": "https://evil.example"},
		"a rebound name":       {"Host": "evil.example"},
	} {
		if status, o := g.ask(t, "/admin/v1/loopguard/reset", reset, header); status < 400 {
			t.Errorf("%s may reset: %d %v", name, status, o)
		}
	}
	wantStatus(t, send(), 429)
	if status, o := g.ask(t, "/admin/v1/loopguard/reset", reset, nil); status != http.StatusOK {
		t.Fatalf("%d %v", status, o)
	}
	for _, want := range []int{201, 201, 429} {
		wantStatus(t, send(), want)
	}
	if n := strings.Count(g.stderr.String(), `"msg":"audit","action":"loopguard_reset","result":"done"`); n != 1 || strings.Contains(g.stderr.String(), conversation(1)) {
		t.Errorf("%d lines of audit, or one with the conversation in clear:\n%s", n, g.stderr.String())
	}
}
