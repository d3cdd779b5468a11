package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestNoKeyNoAddressAndNoTextIsLoggedOrMeasured(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{
		listen: "trusted_proxies: [127.0.0.0/8]",
		rest:   "log: {level: debug}\nloopguard: {identical: {messages: 2}}\nwebhook: {secret: canary-webhook-secret}\n",
	})
	const (
		address = "203.0.113.77"
		words   = "canary-text-of-a-message"
		opaque  = "ca9a4900000000000000000000ca9a49"
	)
	token := mint(botUser, botScope)
	payload, signature := strings.Split(token, ".")[1], strings.Split(token, ".")[2]
	header := map[string]string{
		"X-Forwarded-For": address, "Cookie": "session=canary-cookie", "User-Agent": "canary-agent", "X-Custom": "canary-header",
	}
	for _, key := range []string{token, opaque} {
		for i := range 4 {
			c := routes[i%2].send(key, conversation(7), text(words))
			c.header = header
			g.do(t, c)
		}
	}
	for _, c := range []call{
		{path: "/v2/users?secret=canary-query", token: token, header: header},
		{path: "/v2/users/canary-path", token: token, header: header, body: "{"},
		{method: "PUT", path: "/v2/users", token: token, header: header},
		{path: "/v2/messages", token: token, header: header, body: `{"text":"` + words},
		{path: "/_gateway/webhook", header: header, body: `{"canary":1}`},
	} {
		g.do(t, c)
	}
	eventually(t, "the access log is written", func() error {
		if n := strings.Count(g.logs(), "\n"); n < 13 {
			return fmt.Errorf("only %d lines", n)
		}
		return nil
	})
	_, scraped, err := fetch("http://" + g.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for place, text := range map[string]string{"the log": g.logs(), "the metrics": scraped} {
		for name, canary := range map[string]string{
			"the token": token, "the token's payload": payload, "the token's signature": signature, "the opaque token": opaque,
			"the client's address": address, "the text of a message": words, "the query": "canary-query", "a cookie": "canary-cookie",
			"a header": "canary-header", "the webhook's secret": "canary-webhook-secret",
		} {
			if i := strings.Index(text, canary); i >= 0 {
				t.Errorf("%s shows %s: …%s…", place, name, text[max(0, i-150):min(len(text), i+len(canary)+50)])
			}
		}
	}
	for name, canary := range map[string]string{"the path": "canary-path", "the conversation": conversation(7), "the user": botUser, "the agent": "canary-agent"} {
		if strings.Contains(scraped, canary) {
			t.Errorf("the metrics show %s", name)
		}
	}
}

func TestTheAccessLogHasOneLineForEachRequest(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{})
	var ids []string
	for range 25 {
		ids = append(ids, g.do(t, call{path: "/v2/users", token: mint(agentUser, agentScope)}).header.Get("X-Request-Id"))
	}
	eventually(t, "every request is logged once", func() error {
		logs := g.logs()
		for _, id := range ids {
			if n := strings.Count(logs, id); n != 1 {
				return fmt.Errorf("the request %q is logged %d times", id, n)
			}
		}
		return nil
	})
}
