package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// route is one of the two ways to create messages in a conversation.
type route struct {
	name string
	send func(token, conversation string, messages ...string) call
}

// routes are both of them. A message is the inside of a JSON object, such as
// `"text":"hello"`; several make an array.
var routes = []route{
	{"POST /v2/messages", func(token, conversation string, messages ...string) call {
		return call{path: "/v2/messages", token: token, body: bodyOf(`"conversation":"`+conversation+`",`, messages)}
	}},
	{"POST /v2/conversations/{id}/messages", func(token, conversation string, messages ...string) call {
		return call{path: "/v2/conversations/" + conversation + "/messages", token: token, body: bodyOf("", messages)}
	}},
}

func bodyOf(prefix string, messages []string) string {
	objects := make([]string, len(messages))
	for i, m := range messages {
		objects[i] = "{" + prefix + m + "}"
	}
	if len(objects) == 1 {
		return objects[0]
	}
	return "[" + strings.Join(objects, ",") + "]"
}

func text(s string) string { return `"text":"` + s + `"` }

// numbered are n distinct messages from the given number on.
func numbered(from, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = text(fmt.Sprintf("message %d", from+i))
	}
	return list
}

func repeated(message string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = message
	}
	return list
}

// onBothRoutes runs the test once for each route, with a gateway of its own.
func onBothRoutes(t *testing.T, test func(t *testing.T, g *gateway, up *stub, r route)) {
	t.Parallel()
	for _, r := range routes {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			up := startStub(t, nil)
			test(t, startGateway(t, up.URL, setup{rest: noRequestLimits}), up, r)
		})
	}
}

func TestTheNinthIdenticalMessageIsRefused(t *testing.T) {
	onBothRoutes(t, func(t *testing.T, g *gateway, up *stub, r route) {
		token := mint(botUser, botScope)
		for range 8 {
			wantStatus(t, g.do(t, r.send(token, conversation(1), text("hello"))), 201)
		}
		o := wantOurError(t, g.do(t, r.send(token, conversation(1), text("hello"))), 429, "identical_messages")
		if at(o, "error", "limit") != 8.0 || at(o, "error", "window") != "3m0s" {
			t.Errorf("the refusal says limit %v, window %v; want 8, 3m0s", at(o, "error", "limit"), at(o, "error", "window"))
		}
		if after, _ := at(o, "error", "retryAfter").(float64); after < 170 || after > 180 {
			t.Errorf("retryAfter = %v, want just below 3 minutes", at(o, "error", "retryAfter"))
		}
		wantStatus(t, g.do(t, r.send(token, conversation(1), text("something else"))), 201)
		wantStatus(t, g.do(t, r.send(token, conversation(2), text("hello"))), 201)
		wantStatus(t, g.do(t, r.send(mint(otherBotUser, botScope), conversation(1), text("hello"))), 201)
		if got := len(up.seen()); got != 11 {
			t.Errorf("%d requests reached the upstream, want 11", got)
		}
	})
}

func TestTheTwentyFirstConsecutiveMessageIsRefused(t *testing.T) {
	onBothRoutes(t, func(t *testing.T, g *gateway, up *stub, r route) {
		token := mint(botUser, botScope)
		for _, message := range numbered(0, 20) {
			wantStatus(t, g.do(t, r.send(token, conversation(1), message)), 201)
		}
		o := wantOurError(t, g.do(t, r.send(token, conversation(1), text("one more"))), 429, "consecutive_messages")
		if at(o, "error", "limit") != 20.0 || at(o, "error", "window") != "1h0m0s" {
			t.Errorf("the refusal says limit %v, window %v; want 20, 1h0m0s", at(o, "error", "limit"), at(o, "error", "window"))
		}
		if after, _ := at(o, "error", "retryAfter").(float64); after < 3580 || after > 3600 {
			t.Errorf("retryAfter = %v, want just below an hour", at(o, "error", "retryAfter"))
		}
		wantStatus(t, g.do(t, r.send(token, conversation(2), text("one more"))), 201)
		if got := len(up.seen()); got != 21 {
			t.Errorf("%d requests reached the upstream, want 21", got)
		}
	})
}

func TestBothRoutesCountTogether(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: noRequestLimits})
	token := mint(botUser, botScope)
	for i := range 8 {
		wantStatus(t, g.do(t, routes[i%2].send(token, conversation(1), text("hello"))), 201)
	}
	for _, r := range routes {
		wantOurError(t, g.do(t, r.send(token, conversation(1), text("hello"))), 429, "identical_messages")
	}
}

func TestABotCountsUnderAllItsTokens(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: noRequestLimits})
	rotated := func(i int) string {
		c := claims(botUser, botScope)
		c["iat"] = 1740816000 + i
		return mintSigned("e2e", c)
	}
	for i := range 8 {
		wantStatus(t, g.do(t, routes[1].send(rotated(i), conversation(1), text("hello"))), 201)
	}
	wantOurError(t, g.do(t, routes[1].send(rotated(8), conversation(1), text("hello"))), 429, "identical_messages")
}

func TestIdenticalMeansTheContentNotItsSpelling(t *testing.T) {
	onBothRoutes(t, func(t *testing.T, g *gateway, _ *stub, r route) {
		token := mint(botUser, botScope)
		spellings := []string{
			`"text":"caf\u00e9 / tea","meta":{"a":1,"b":[true,null]}`,
			`"meta":{"b":[true,null],"a":1},"text":"café / tea"`,
			" \"meta\" :\n\t{ \"a\" : 1 , \"b\" : [ true , null ] } , \"text\" : \"caf\\u00E9 \\/ tea\" ",
			`"te\u0078t":"caf\u00e9 \u002f tea","meta":{"\u0061":1,"b":[true,null]}`,
			`"text":"café / tea","meta":{"a":1,"b":[true,null]},"delay":2000`,
			`"delay":1,"text":"café / tea","meta":{"a":1,"b":[true,null]}`,
			`"text":"café / tea","meta":{"a":1,"b":[true,null]},"delay":"x"`,
			`"text":"café / tea","meta":{"a":1,"b":[true,null]}`,
		}
		for _, s := range spellings {
			wantStatus(t, g.do(t, r.send(token, conversation(1), s)), 201)
		}
		for _, s := range spellings {
			wantOurError(t, g.do(t, r.send(token, conversation(1), s)), 429, "identical_messages")
		}
		for _, different := range []string{
			`"text":"café / tea","meta":{"a":2,"b":[true,null]}`, `"text":"café / tea","meta":{"a":1,"b":[null,true]}`,
			`"text":"café / tea"`, `"text":"Café / tea","meta":{"a":1,"b":[true,null]}`,
			`"text":"café / tea","meta":{"a":1,"b":[true,null]},"role":"agent"`,
		} {
			wantStatus(t, g.do(t, r.send(token, conversation(1), different)), 201)
		}
	})
}

func TestHumansAreNotLimited(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: noRequestLimits})
	for _, scope := range []string{agentScope, adminScope, guestScope} {
		token := mint(agentUser, scope)
		for range 25 {
			wantStatus(t, g.do(t, routes[1].send(token, conversation(1), text("hello"))), 201)
		}
	}
}

func TestAnOpaqueTokenIsABotOfItsOwn(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: noRequestLimits})
	for _, token := range []string{"0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"} {
		for range 8 {
			wantStatus(t, g.do(t, routes[0].send(token, conversation(1), text("hello"))), 201)
		}
		wantOurError(t, g.do(t, routes[0].send(token, conversation(1), text("hello"))), 429, "identical_messages")
	}
}

// fill uses up the 20 consecutive messages of a bot in a conversation.
func fill(t *testing.T, g *gateway, token, conversation string) {
	t.Helper()
	for _, message := range numbered(0, 20) {
		wantStatus(t, g.do(t, routes[1].send(token, conversation, message)), 201)
	}
	wantBlocked(t, g, token, conversation)
}

func wantBlocked(t *testing.T, g *gateway, token, conversation string) {
	t.Helper()
	wantOurError(t, g.do(t, routes[1].send(token, conversation, text("is it free?"))), 429, "consecutive_messages")
}

func wantFree(t *testing.T, g *gateway, token, conversation string) {
	t.Helper()
	wantStatus(t, g.do(t, routes[1].send(token, conversation, text("it is free"))), 201)
}

func TestAnAgentsReplyResetsTheStreak(t *testing.T) {
	onBothRoutes(t, func(t *testing.T, g *gateway, _ *stub, r route) {
		bot, other, agent := mint(botUser, botScope), mint(otherBotUser, botScope), mint(agentUser, agentScope)
		fill(t, g, bot, conversation(1))
		fill(t, g, other, conversation(1))
		fill(t, g, bot, conversation(2))
		wantStatus(t, g.do(t, r.send(agent, conversation(1), text("let me help"))), 201)
		wantBlocked(t, g, bot, conversation(2))
		for _, message := range numbered(100, 20) {
			wantStatus(t, g.do(t, r.send(bot, conversation(1), message)), 201)
		}
		wantBlocked(t, g, bot, conversation(1))
		wantFree(t, g, other, conversation(1))
		if got := g.metrics(t).sum("gateway_loopguard_resets_total"); got < 1 {
			t.Errorf("loopguard_resets_total = %v, want at least 1", got)
		}
	})
}

func TestAReplyLeavesTheIdenticalCount(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: noRequestLimits})
	bot := mint(botUser, botScope)
	for range 8 {
		wantStatus(t, g.do(t, routes[1].send(bot, conversation(1), text("hello"))), 201)
	}
	wantStatus(t, g.do(t, routes[1].send(mint(agentUser, agentScope), conversation(1), text("hi"))), 201)
	wantOurError(t, g.do(t, routes[1].send(bot, conversation(1), text("hello"))), 429, "identical_messages")
}

func TestWhoseWordsAreAReply(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: noRequestLimits})
	bot, other := mint(botUser, botScope), mint(otherBotUser, botScope)
	contact := `"role":"contact",` + text("where is my order?")

	fill(t, g, bot, conversation(1))
	wantStatus(t, g.do(t, routes[1].send(other, conversation(1), text("a bot speaks"))), 201)
	wantStatus(t, g.do(t, routes[1].send(other, conversation(1), `"role":"agent",`+text("as if by a person"))), 201)
	wantStatus(t, g.do(t, routes[1].send(other, conversation(1), `"user":"`+agentUser+`",`+text("in a person's name"))), 201)
	wantBlocked(t, g, bot, conversation(1))

	wantStatus(t, g.do(t, routes[1].send(other, conversation(1), contact)), 201)
	wantFree(t, g, bot, conversation(1))

	// A bot's own message is never its own reply, whatever role it writes.
	for i := range 20 {
		wantStatus(t, g.do(t, routes[0].send(bot, conversation(2), `"role":"contact",`+text(fmt.Sprint(i)))), 201)
	}
	wantBlocked(t, g, bot, conversation(2))

	// An admin's token carries the word bot, and an admin is a person.
	fill(t, g, bot, conversation(3))
	wantStatus(t, g.do(t, routes[0].send(mint(adminUser, adminScope), conversation(3), text("I take over"))), 201)
	wantFree(t, g, bot, conversation(3))
}

func TestTheConfigurationNamesBotsAndHumans(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: noRequestLimits +
		"identity: {users: [{id: " + adminUser + ", role: bot}, {id: " + botUser + ", role: human}]}\n"})
	adminBot, formerBot := mint(adminUser, adminScope), mint(botUser, botScope)
	fill(t, g, adminBot, conversation(1))
	wantStatus(t, g.do(t, routes[1].send(formerBot, conversation(1), text("a person"))), 201)
	wantFree(t, g, adminBot, conversation(1))
	for range 10 {
		wantStatus(t, g.do(t, routes[1].send(formerBot, conversation(1), text("the same"))), 201)
	}
}

// createdBy answers a post with whatever status the test has set.
func createdBy(status *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, `{"message":"as you wish","id":"65aa0f00aabbccddeeff0011"}`)
	}
}

func TestWhatTheUpstreamRefusedDoesNotCount(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	up := startStub(t, createdBy(&status))
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	bot := mint(botUser, botScope)
	for _, refused := range []int32{422, 400, 403, 404, 500, 503} {
		status.Store(refused)
		for range 10 {
			wantStatus(t, g.do(t, routes[1].send(bot, conversation(1), text("hello"))), int(refused))
		}
	}
	status.Store(422) // nor is a refused message anybody's reply
	wantStatus(t, g.do(t, routes[1].send(mint(agentUser, agentScope), conversation(2), text("hello"))), 422)
	status.Store(201)
	for range 8 {
		wantStatus(t, g.do(t, routes[1].send(bot, conversation(1), text("hello"))), 201)
	}
	wantOurError(t, g.do(t, routes[1].send(bot, conversation(1), text("hello"))), 429, "identical_messages")

	fill(t, g, bot, conversation(2))
	status.Store(403)
	wantStatus(t, g.do(t, routes[1].send(mint(agentUser, agentScope), conversation(2), text("I may not"))), 403)
	status.Store(201)
	wantBlocked(t, g, bot, conversation(2))
}

func TestAForgedTokenSpendsBlocksAndResetsNothing(t *testing.T) {
	t.Parallel()
	genuine, agent := mint(botUser, botScope), mint(agentUser, agentScope)
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if token != genuine && token != agent {
			reply(401, "application/json", `{"message":"invalid signature"}`)(w, r)
			return
		}
		agreeable(w, r)
	})
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	forged := mintSigned("a guess", claims(botUser, botScope))
	for range 30 {
		wantStatus(t, g.do(t, routes[1].send(forged, conversation(1), text("hello"))), 401)
	}
	fill(t, g, genuine, conversation(1))
	forgedAgent := mintSigned("a guess", claims(agentUser, agentScope))
	wantStatus(t, g.do(t, routes[1].send(forgedAgent, conversation(1), text("reset, please"))), 401)
	wantBlocked(t, g, genuine, conversation(1))
}

func TestAnUnknownOutcomeCountsAgainstTheTokenThatSentIt(t *testing.T) {
	t.Parallel()
	var slow atomic.Bool
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			time.Sleep(1500 * time.Millisecond)
		}
		agreeable(w, r)
	})
	g := startGateway(t, up.URL, setup{upstream: "timeout: 600ms", rest: noRequestLimits})
	bot := mint(botUser, botScope)
	slow.Store(true)
	for _, a := range g.together(t, 8, func(int) call { return routes[1].send(bot, conversation(1), text("hello")) }) {
		wantOurError(t, a, 503, "upstream_timeout")
	}
	slow.Store(false)
	wantOurError(t, g.do(t, routes[1].send(bot, conversation(1), text("hello"))), 429, "identical_messages")
	forged := mintSigned("a guess", claims(botUser, botScope))
	wantStatus(t, g.do(t, routes[1].send(forged, conversation(1), text("hello"))), 201)
}

func TestAnArrayCountsOneByOneAndIsRefusedWhole(t *testing.T) {
	onBothRoutes(t, func(t *testing.T, g *gateway, up *stub, r route) {
		token := mint(botUser, botScope)
		wantStatus(t, g.do(t, r.send(token, conversation(1), numbered(0, 18)...)), 201)
		wantOurError(t, g.do(t, r.send(token, conversation(1), numbered(18, 3)...)), 429, "consecutive_messages")
		wantStatus(t, g.do(t, r.send(token, conversation(1), numbered(18, 2)...)), 201)
		wantOurError(t, g.do(t, r.send(token, conversation(1), text("one more"))), 429, "consecutive_messages")

		wantOurError(t, g.do(t, r.send(token, conversation(2), repeated(text("hello"), 9)...)), 429, "identical_messages")
		wantStatus(t, g.do(t, r.send(token, conversation(2), repeated(text("hello"), 8)...)), 201)
		wantOurError(t, g.do(t, r.send(token, conversation(2), text("hello"))), 429, "identical_messages")

		wantOurError(t, g.do(t, r.send(token, conversation(3), numbered(0, 21)...)), 429, "consecutive_messages")
		wantStatus(t, g.do(t, r.send(token, conversation(3), numbered(0, 20)...)), 201)
		if got := len(up.seen()); got != 4 {
			t.Errorf("%d requests reached the upstream, want 4", got)
		}
	})
}

func TestAnArrayMayNameSeveralConversations(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{rest: noRequestLimits})
	token := mint(botUser, botScope)
	mixed := func(n int) call {
		var list []map[string]any
		for i := range n {
			list = append(list, map[string]any{"conversation": conversation(1 + i%2), "text": "hello"})
		}
		body, _ := json.Marshal(list)
		return call{path: "/v2/messages", token: token, body: string(body)}
	}
	wantStatus(t, g.do(t, mixed(14)), 201) // 7 each
	wantOurError(t, g.do(t, mixed(3)), 429, "identical_messages")
	wantStatus(t, g.do(t, mixed(2)), 201) // the 8th each
	wantOurError(t, g.do(t, mixed(1)), 429, "identical_messages")
}

func TestAHundredConcurrentMessagesAdmitExactlyTheLimit(t *testing.T) {
	onBothRoutes(t, func(t *testing.T, g *gateway, up *stub, r route) {
		token := mint(botUser, botScope)
		distinct := g.together(t, 100, func(i int) call {
			return r.send(token, conversation(1), text(fmt.Sprintf("message %d", i)))
		})
		if created, refused := count(distinct, 201), count(distinct, 429); created != 20 || refused != 80 {
			t.Errorf("of 100 distinct messages %d were created and %d refused, want 20 and 80", created, refused)
		}
		same := g.together(t, 100, func(int) call { return r.send(token, conversation(2), text("hello")) })
		if created, refused := count(same, 201), count(same, 429); created != 8 || refused != 92 {
			t.Errorf("of 100 identical messages %d were created and %d refused, want 8 and 92", created, refused)
		}
		if got := len(up.seen()); got != 28 {
			t.Errorf("%d requests reached the upstream, want 28", got)
		}
	})
}

func TestEmbeddedMessagesCountOnlyInAnExistingConversation(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/conversations" {
			agreeable(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Load()))
		_, _ = fmt.Fprintf(w, `{"id":%q,"type":"contact"}`, conversation(1))
	})
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	bot := mint(botUser, botScope)
	create := func(messages []string) call {
		return call{path: "/v2/conversations", token: bot, body: `{"type":"contact","contact":{"profile":{"telephone":"+3197000000001"}},"messages":[` +
			strings.Join(objects(messages), ",") + `]}`}
	}
	status.Store(201)
	wantStatus(t, g.do(t, create(numbered(0, 25))), 201)
	status.Store(200)
	wantStatus(t, g.do(t, create(numbered(100, 12))), 200)
	for _, message := range numbered(200, 8) {
		wantStatus(t, g.do(t, routes[1].send(bot, conversation(1), message)), 201)
	}
	wantBlocked(t, g, bot, conversation(1))
}

func objects(messages []string) []string {
	list := make([]string, len(messages))
	for i, m := range messages {
		list[i] = "{" + m + "}"
	}
	return list
}

func TestTheNextIdenticalMessagePassesWhenItIsSaid(t *testing.T) {
	t.Parallel()
	inTime(t, func() {
		g := startGateway(t, startStub(t, nil).URL, setup{rest: noRequestLimits + "loopguard: {identical: {window: 1s}}\n"})
		bot := mint(botUser, botScope)
		started := time.Now()
		for range 8 {
			wantStatus(t, g.do(t, routes[1].send(bot, conversation(1), text("hello"))), 201)
		}
		refused := g.do(t, routes[1].send(bot, conversation(1), text("hello")))
		wantLimited(t, started, refused, "identical_messages")
		time.Sleep(time.Duration(wantRetryAfter(t, refused)) * time.Second)
		wantStatus(t, g.do(t, routes[1].send(bot, conversation(1), text("hello"))), 201)
	})
}

func TestBrokenBodiesOnAGuardedRouteAreRefused(t *testing.T) {
	onBothRoutes(t, func(t *testing.T, g *gateway, up *stub, r route) {
		c := r.send(mint(botUser, botScope), conversation(1), text("x"))
		for _, body := range []string{
			`{"text":`, `{"text":"x"}garbage`, `{"text":"x"}{"text":"y"}`, `{"text":"x",}`, `{'text':'x'}`,
			"{\"text\":\"a\nb\"}", "{\"text\":\"\xff\xfe\"}", `[{"text":"x"},`, `{text:"x"}`,
			strings.Repeat(`{"meta":`, 20000) + "1" + strings.Repeat("}", 20000),
		} {
			c.body = body
			if o := wantOurError(t, g.do(t, c), 400, "invalid_request"); strings.Contains(fmt.Sprint(o), "goroutine") {
				t.Errorf("a stack trace reached the client: %v", o)
			}
		}
		if got := up.seen(); len(got) != 0 {
			t.Errorf("%d broken bodies reached the upstream, the first: %.100q", len(got), got[0].body)
		}
	})
}

// A message must never pass in a spelling that the guard reads in another way
// than the API: either it is refused, or it counts.
func TestNoSpellingOfABodyPassesUncounted(t *testing.T) {
	onBothRoutes(t, func(t *testing.T, g *gateway, up *stub, r route) {
		token := mint(botUser, botScope)
		for range 8 {
			wantStatus(t, g.do(t, r.send(token, conversation(1), text("loop"))), 201)
		}
		tricks := []string{
			`"text":"noise","text":"loop"`, `"text":"noise","te\u0078t":"loop"`,
			`"conversation":"` + conversation(9) + `","conversation":"` + conversation(1) + `","text":"loop"`,
			`"text":"loop","delay":1,"delay":2`,
		}
		before := len(up.seen())
		for _, trick := range tricks {
			a := g.do(t, r.send(token, conversation(1), trick))
			if a.status != 429 && a.status != 400 {
				t.Errorf("the body %s got %s", trick, a)
			}
		}
		for name, value := range map[string]string{
			"Content-Encoding": "gzip", "Content-Type": "application/json; charset=utf-16",
		} {
			c := r.send(token, conversation(1), text("loop"))
			c.header = map[string]string{name: value}
			a := g.do(t, c)
			if a.status != 415 && a.status != 400 && a.status != 429 {
				t.Errorf("with %s: %s got %s", name, value, a)
			}
		}
		if got := len(up.seen()) - before; got != 0 {
			t.Errorf("%d of the tricks reached the upstream", got)
		}
	})
}

// ChatShipper's ids are hexadecimal numbers: A and a are the same digit.
func TestTheCaseOfAnIDMakesNoOtherConversation(t *testing.T) {
	onBothRoutes(t, func(t *testing.T, g *gateway, up *stub, r route) {
		token, id := mint(botUser, botScope), conversation(1)
		for range 8 {
			wantStatus(t, g.do(t, r.send(token, id, text("loop"))), 201)
		}
		a := g.do(t, r.send(token, strings.ToUpper(id), text("loop")))
		if a.status < 400 || a.status > 499 {
			t.Errorf("the same conversation in capitals got %s", a)
		}
		if got := len(up.seen()); got != 8 {
			t.Errorf("%d requests reached the upstream, want 8", got)
		}
	})
}

func TestNoSpellingOfAPathPassesUncounted(t *testing.T) {
	t.Parallel()
	up := startStub(t, nil)
	g := startGateway(t, up.URL, setup{rest: noRequestLimits})
	token, id := mint(botUser, botScope), conversation(1)
	for range 8 {
		wantStatus(t, g.do(t, routes[0].send(token, id, text("loop"))), 201)
	}
	before := len(up.seen())
	paths := []string{
		"//v2/messages", "/v2//messages", "/v2/messages/", "/v2/./messages", "/v2/users/../messages", "/V2/Messages",
		"/v2/%6dessages", "/%76%32/messages", "/v2%2fmessages", "/v2/messages;a=b", "/v2;x/messages", "/v2/messages?", "/v2/messages?a=b",
		"/v2\\messages", "/v2/messages#", "/v2/messages%00",
		"/v2/conversations/" + id + "//messages", "/v2/conversations/" + id + "/messages/", "/v2/conversations/./" + id + "/messages",
		"/v2/conversations/x/../" + id + "/messages", "/v2/Conversations/" + id + "/MESSAGES", "/v2/conversations/" + id + "%2fmessages",
		"/v2/conversations/" + strings.ToUpper(id) + "/messages", "/v2/conversations/%36" + id[1:] + "/messages",
	}
	for _, path := range paths {
		c := routes[0].send(token, id, text("loop"))
		if strings.Contains(strings.ToLower(path), "conversations") {
			c = routes[1].send(token, id, text("loop"))
		}
		c.path = path
		answer := postRaw(t, g.address, c)
		if !strings.HasPrefix(answer, "HTTP/1.1 4") {
			t.Errorf("POST %s got %.60q, want a refusal", path, answer)
		}
	}
	if got := up.seen(); len(got) > before {
		t.Errorf("%d spellings reached the upstream, the first as %s", len(got)-before, got[before].target)
	}
}

// postRaw posts byte for byte, with no client library in between.
func postRaw(t *testing.T, address string, c call) string {
	t.Helper()
	return raw(t, address, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", c.path, c.token, len(c.body), c.body))
}

func TestBodiesTooLargeToInspectAreRefused(t *testing.T) {
	onBothRoutes(t, func(t *testing.T, g *gateway, up *stub, r route) {
		token := mint(botUser, botScope)
		large := text(strings.Repeat("x", 1<<20))
		wantOurError(t, g.do(t, r.send(token, conversation(1), large)), 413, "payload_too_large")
		if got := len(up.seen()); got != 0 {
			t.Errorf("%d requests reached the upstream, want none", got)
		}
	})
}
