package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// lines are the access log's lines so far.
func (g *gateway) lines(t *testing.T) (list []map[string]any) {
	t.Helper()
	for line := range strings.Lines(g.stdout.String()) {
		o := map[string]any{}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("the access log has a line that is no JSON: %s", line)
		}
		list = append(list, o)
	}
	return list
}

// line waits for the access log's line of an answer.
func (g *gateway) line(t *testing.T, a answer) (found map[string]any) {
	t.Helper()
	eventually(t, "the request is logged", func() error {
		for _, o := range g.lines(t) {
			if o["request_id"] == a.header.Get("X-Request-Id") {
				found = o
				return nil
			}
		}
		return fmt.Errorf("no line of %s", a.header.Get("X-Request-Id"))
	})
	return found
}

// exercise makes every rule refuse something, lets an agent and the webhook
// reply, and returns how many requests that were.
func (g *gateway) exercise(t *testing.T) (requests int) {
	t.Helper()
	client := 0
	send := func(token string, messages ...string) {
		t.Helper()
		requests, client = requests+1, client+1
		c := routes[requests%2].send(token, conversation(1), messages...)
		c.header = map[string]string{"X-Forwarded-For": fmt.Sprintf("203.0.113.%d", client%250)} // so that no address is limited
		g.do(t, c)
	}
	for range 10 { // with the next, all within the key's 20 a second or refused by it
		send(mint(botUser, botScope), text("again"))
	}
	for _, m := range numbered(1, 15) {
		send(mint("65aa001122334455667700c2", botScope), m)
	}
	send(mint(agentUser, agentScope), text("I am here"))
	send(mint("65aa001122334455667700c2", botScope), numbered(20, 3)...)
	for range 30 {
		requests++
		g.do(t, call{path: "/v2/users", header: map[string]string{"X-Forwarded-For": "198.51.100.7"}})
	}
	g.do(t, call{method: "PUT", path: "/v2/users", header: map[string]string{"X-Forwarded-For": "198.51.100.8"}})
	return requests + 1
}

var tableRow = regexp.MustCompile(`(?m)^(admitted|refused by \w+) +([\d,]+) +([\d,]+)$`)

func TestALogReplayedUnderItsOwnRulesRefusesTheSame(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{
		listen: "trusted_proxies: [127.0.0.0/8]",
		// Wide windows, so that what a log leaves out of a time makes no difference.
		rest: "limits: {per_ip: {window: 10m}, per_key: {requests: 21, window: 10m}}\nloopguard: {consecutive: {messages: 12}}\n",
	})
	requests := g.exercise(t)
	eventually(t, "every request is logged", func() error {
		if n := len(g.lines(t)); n != requests {
			return fmt.Errorf("%d lines of %d requests", n, requests)
		}
		return nil
	})
	log := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(log, []byte(g.stdout.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, "simulate", "--config", g.config, log)
	if r.code != 0 {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	rows := tableRow.FindAllStringSubmatch(r.stdout, -1)
	for _, row := range rows {
		if row[2] != row[3] {
			t.Errorf("%s: %s in the log, %s in the simulation", row[1], row[2], row[3])
		}
	}
	for _, want := range []string{"refused by per_ip +10 ", "refused by identical +2 ", "refused by consecutive +3 "} {
		if !regexp.MustCompile(want).MatchString(r.stdout) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
	if len(rows) != 5 || t.Failed() {
		t.Log(r.stdout)
	}
}

func TestACandidateIsMeasuredAndLoggedAndRefusesNothing(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{
		rest: "limits: {per_ip: {window: 10m, shadow: {requests: 15}}}\nloopguard: {consecutive: {shadow: {messages: 2}}}\n",
	})
	var last answer
	for i := range 17 {
		last = g.do(t, call{path: "/v2/users"})
		wantStatus(t, last, 200)
		if got := last.header.Get("X-Ratelimit-Limit"); got != "20" {
			t.Fatalf("request %d: the limit in the headers is %s, want that in force", i+1, got)
		}
	}
	for _, m := range numbered(1, 3) {
		wantStatus(t, g.do(t, routes[0].send(mint(botUser, botScope), conversation(1), m)), 201)
	}
	wantStatus(t, g.do(t, call{path: "/v2/users"}), 429) // the 21st
	m := g.metrics(t)
	wantValue(t, m, `gateway_limit_decisions_total{rule="per_ip",decision="admitted"}`, 20)
	wantValue(t, m, `gateway_limit_decisions_total{rule="per_ip",decision="refused"}`, 1)
	wantValue(t, m, `gateway_limit_decisions_total{rule="per_ip_shadow",decision="admitted"}`, 15)
	wantValue(t, m, `gateway_limit_decisions_total{rule="per_ip_shadow",decision="would_refuse"}`, 5)
	wantValue(t, m, `gateway_limit_decisions_total{rule="consecutive_shadow",decision="admitted"}`, 2)
	wantValue(t, m, `gateway_limit_decisions_total{rule="consecutive_shadow",decision="would_refuse"}`, 1)
	wantValue(t, m, `gateway_limit_decisions_total{rule="identical_shadow",decision="admitted"}`, 0)
	if o := g.line(t, last); o["shadow"] != "per_ip_shadow" || o["decision"] != "admitted" || o["rule"] != nil {
		t.Errorf("the log says %v", o)
	}
}

// What a client, a log and a dashboard are told of one refusal.
func TestARefusalSaysTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for rule, send := range map[string]func(i int) call{
		"per_ip":  func(int) call { return call{path: "/v2/users"} },
		"per_key": func(i int) call { return call{path: "/v2/users", token: "token", from: fmt.Sprintf("127.0.9.%d", i+1)} },
		"identical": func(i int) call {
			c := routes[i%2].send(mint(botUser, botScope), conversation(1), text("again"))
			return c
		},
		"consecutive": func(i int) call {
			return routes[i%2].send(mint(botUser, botScope), conversation(1), numbered(i, 1)...)
		},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, startStub(t, nil).URL, setup{rest: "limits: {per_ip: {requests: 5, window: 10m}, per_key: {requests: 5, window: 10m}}\n" +
				"loopguard: {identical: {messages: 2, window: 10m}, consecutive: {messages: 3}}\n"})
			for i := range 6 {
				plain := g.do(t, send(i))
				if plain.status != 429 {
					continue
				}
				c := send(i)
				c.header = map[string]string{"Accept": "application/problem+json"}
				g.wantSameEverywhere(t, rule, plain, g.do(t, c))
				return
			}
			t.Fatal("nothing was refused")
		})
	}
}

func (g *gateway) wantSameEverywhere(t *testing.T, rule string, plain, problem answer) {
	t.Helper()
	var body struct {
		Message string
		Status  int
		Error   struct {
			Code, Message, Window string
			Limit, RetryAfter     int
		}
	}
	var form struct {
		Type, Title, Detail, Message string
		Status                       int
		Violated                     []string `json:"violated-policies"`
	}
	if err := json.Unmarshal(plain.body, &body); err != nil {
		t.Fatalf("%s: %v", plain, err)
	}
	if err := json.Unmarshal(problem.body, &form); err != nil {
		t.Fatalf("%s: %v", problem, err)
	}
	line := g.line(t, plain)
	retry := wantRetryAfter(t, plain)
	limit, window := body.Error.Limit, body.Error.Window
	seconds := map[string]string{"10m0s": "600", "1h0m0s": "3600"}[window]
	for what, pair := range map[string][2]any{
		"status":                  {body.Status, plain.status},
		"message of error":        {body.Error.Message, body.Message},
		"retry after":             {body.Error.RetryAfter, retry},
		"rule in the policy":      {plain.header.Get("RateLimit-Policy"), fmt.Sprintf("%q;q=%d;w=%s", rule, limit, seconds)},
		"X-RateLimit-Limit":       {plain.header.Get("X-RateLimit-Limit"), fmt.Sprint(limit)},
		"X-RateLimit-Remaining":   {plain.header.Get("X-RateLimit-Remaining"), "0"},
		"X-RateLimit-Reset":       {plain.header.Get("X-RateLimit-Reset"), fmt.Sprint(retry)},
		"RateLimit":               {plain.header.Get("RateLimit"), fmt.Sprintf(`%q;r=0;t=%d`, rule, retry)},
		"rule in the log":         {line["rule"], rule},
		"decision in the log":     {line["decision"], "refused"},
		"code in the log":         {line["code"], body.Error.Code},
		"limit in the log":        {line["limit"], float64(limit)},
		"window in the log":       {line["window"], window},
		"retry after in the log":  {line["retry_after"], float64(retry)},
		"status of the problem":   {form.Status, 429},
		"policies of the problem": {fmt.Sprint(form.Violated), "[" + rule + "]"},
		"media type":              {problem.header.Get("Content-Type"), "application/problem+json"},
		"message of the problem":  {form.Message, form.Detail},
		"series": {
			g.metrics(t).value(t, fmt.Sprintf(`gateway_limit_decisions_total{rule=%q,decision="refused"}`, rule)),
			float64(2),
		},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
		}
	}
	if !strings.Contains(body.Message, fmt.Sprint(limit)) || !strings.Contains(body.Message, fmt.Sprintf("in %d s", retry)) {
		t.Errorf("the message tells neither how many nor when: %s", body.Message)
	}
}
