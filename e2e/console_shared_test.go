package e2e

import (
	"errors"
	"fmt"
	"testing"
)

// tables asks for everything that the console shows.
func (g *gateway) tables(t *testing.T) map[string]any {
	t.Helper()
	status, o := g.ask(t, "/admin/v1/overview?points=1", "", nil)
	tables, ok := o["tables"].(map[string]any)
	if status != 200 || !ok {
		t.Fatalf("%d %v", status, o)
	}
	return tables
}

// first is the first item of a table.
func first(table any) map[string]any {
	list, _ := table.([]any)
	if len(list) == 0 {
		return nil
	}
	item, _ := list[0].(map[string]any)
	return item
}

// Where counts are shared the console tells what all gateways count of those who
// were seen here, releases for all, and says when Redis is gone and why.
func TestTheConsoleOfASharedStore(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	up := startStub(t, nil).URL
	const limits = "limits: {per_ip: {mode: off}, per_key: {requests: 6, window: 10m}}\nloopguard: {identical: {messages: 2}}\n"
	here := startGateway(t, up, redis.shared("", limits))
	there := startGateway(t, up, redis.shared("", limits))
	bot := mint(botUser, botScope)
	here.tables(t) // somebody looks, so that admitted requests are sampled
	wantStatus(t, here.do(t, routes[0].send(bot, conversation(1), text("hello"))), 201)
	wantStatus(t, there.do(t, routes[0].send(bot, conversation(1), text("hello"))), 201)
	wantOurError(t, here.do(t, routes[0].send(bot, conversation(1), text("hello"))), 429, "identical_messages")
	var block map[string]any
	eventually(t, "the block and the nearest key are shown", func() error {
		tables := here.tables(t)
		block = first(tables["blocked"])
		limits := tables["limits"].([]any)
		key := first(limits[1].(map[string]any)["nearest"])
		if block == nil || block["used"] != 2.0 || key == nil || key["used"] != 3.0 || key["limit"] != 6.0 {
			return fmt.Errorf("blocked %v, nearest key %v", block, key)
		}
		return nil
	})
	if store := first(here.tables(t)["stores"]); store["name"] != "shared" || store["state"] != "ok" || store["last_error"] != nil {
		t.Errorf("the store is %v", store)
	}
	status, _ := here.ask(t, "/admin/v1/loopguard/reset", fmt.Sprintf(`{"conversation":%q}`, block["conversation"]), map[string]string{"Content-Type": "application/json"})
	if status != 200 {
		t.Fatalf("the release is answered %d", status)
	}
	wantStatus(t, there.do(t, routes[0].send(bot, conversation(1), text("hello"))), 201)

	redis.kill()
	here.do(t, call{path: "/v2/users", token: bot})
	eventually(t, "the console says that Redis is gone", func() error {
		here.do(t, call{path: "/v2/users", token: bot})
		tables := here.tables(t)
		state, store := tables["state"].(map[string]any), first(tables["stores"])
		if state["state"] != "degraded" || store["state"] != "degraded" || store["last_error"] == nil {
			return errors.New(fmt.Sprint(state, store))
		}
		return nil
	})
}
