package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const onlyPerKey = "limits: {per_ip: {mode: off}}\n"

// 400 requests a second of one key, spread over four gateways, for ten seconds.
func TestFourGatewaysAreOneLimit(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	up := startStub(t, nil)
	gateways := fleet(t, up.URL, func(int) setup { return redis.shared("", onlyPerKey) })
	admitted := redis.watch(t)
	token := mint(agentUser, agentScope)
	const span = 10 * time.Second
	answers := flood(t, gateways, time.Second/400, span, func(int) call { return call{path: "/v2/users", token: token} })

	passed := count(answers, 200)
	if passed+count(answers, 429) != len(answers) {
		t.Error("there are answers that are neither 200 nor 429")
	}
	eventually(t, "the server has reported all", func() error {
		if n := len(admitted()); n != passed {
			return fmt.Errorf("%d of %d", n, passed)
		}
		return nil
	})
	times := admitted()
	slices.Sort(times)
	for i := 20; i < len(times); i++ {
		if gap := times[i] - times[i-20]; gap < 1_000_000 {
			t.Fatalf("21 requests were admitted in %d µs of Redis' clock", gap)
		}
	}
	took := time.Duration(times[len(times)-1]-times[0]) * time.Microsecond
	if want := 0.95 * 20 * span.Seconds(); float64(passed) < want {
		t.Errorf("%d requests were admitted in %v, want at least %.0f", passed, took, want)
	}
	t.Logf("%d of %d requests were admitted in %v", passed, len(answers), took)
	if got := len(up.seen()); got != passed {
		t.Errorf("%d requests reached the upstream, %d were answered", got, passed)
	}
}

// One bot that loops through four gateways at once, whose clocks are ten minutes
// apart: each conversation gets exactly what the rules allow.
func TestOneLoopingBotThroughFourGatewaysWithWrongClocks(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	up := startStub(t, nil)
	gateways := fleet(t, up.URL, func(i int) setup {
		s := redis.shared("", noRequestLimits)
		s.env = []string{fmt.Sprintf("%s=%dm", clockOffset, 10*(i-1))}
		return s
	})
	bot := mint(botUser, botScope)
	for name, want := range map[string]int{"different": 20, "identical": 8} {
		before := len(up.seen())
		var wg sync.WaitGroup
		var mu sync.Mutex
		var answers []answer
		for i := range 100 {
			wg.Go(func() {
				words := text("again")
				if name == "different" {
					words = text(fmt.Sprint("message ", i))
				}
				a, err := try(gateways[i%4].address, routes[i%2].send(bot, conversation(want), words))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				answers = append(answers, a)
			})
		}
		wg.Wait()
		if got := len(up.seen()) - before; got != want || count(answers, 201) != want || count(answers, 429) != 100-want {
			t.Errorf("of 100 %s messages %d reached the upstream, %d were answered 201; want %d", name, got, count(answers, 201), want)
		}
	}
	for i, g := range gateways {
		a := g.do(t, routes[0].send(bot, conversation(20), text("more")))
		o := wantOurError(t, a, 429, "consecutive_messages")
		if after, _ := at(o, "error", "retryAfter").(float64); after < 3500 || after > 3600 {
			t.Errorf("gateway %d, whose clock is %d minutes wrong, says to wait %v s", i, 10*(i-1), after)
		}
	}
}

// ChatShipper's report reaches one gateway, whose clock is wrong, and resets the
// streak for all. A late, repeated or older report clears nothing newer.
func TestAWebhookOnOneGatewayResetsForAll(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	gateways := fleet(t, startStub(t, nil).URL, func(i int) setup {
		s := redis.shared("", noRequestLimits+"webhook: {secret: "+webhookSecret+"}\n")
		s.env = []string{fmt.Sprintf("%s=%dm", clockOffset, 10*i)}
		return s
	})
	bot := mint(botUser, botScope)
	fill(t, gateways[0], bot, conversation(1))
	for _, g := range gateways {
		wantBlocked(t, g, bot, conversation(1))
	}
	contact := `"role":"contact","text":"Where is it?"`
	now := time.Now()
	for _, c := range []call{
		delivery(event(conversation(1), contact, now.Add(-50*time.Minute)), webhookSecret),
		delivery(event(conversation(1), contact, now), "a guess"),
	} {
		gateways[3].do(t, c)
		wantBlocked(t, gateways[1], bot, conversation(1))
	}
	reply := delivery(event(conversation(1), contact, now), webhookSecret)
	wantStatus(t, gateways[3].do(t, reply), 200)
	for i := range 20 {
		wantStatus(t, gateways[i%4].do(t, routes[i%2].send(bot, conversation(1), text(fmt.Sprint("answer ", i)))), 201)
	}
	gateways[2].do(t, reply) // once more, at another gateway: it clears nothing that came after it
	for _, g := range gateways {
		wantBlocked(t, g, bot, conversation(1))
	}
	// An agent's message through one gateway does the same.
	wantStatus(t, gateways[1].do(t, routes[1].send(mint(agentUser, agentScope), conversation(1), text("let me help"))), 201)
	wantFree(t, gateways[0], bot, conversation(1))
}

// A gateway dies between reserving and settling: what it had sent goes on
// counting for the token that sent it, and for nobody else.
func TestAGatewayThatDiesBetweenReservingAndSettling(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	release := make(chan struct{})
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.RequestURI, conversation(1)) {
			<-release
		}
		agreeable(w, r)
	})
	t.Cleanup(func() { close(release) })
	doomed := startGateway(t, up.URL, redis.shared("", noRequestLimits))
	other := startGateway(t, up.URL, redis.shared("", noRequestLimits))
	bot := mint(botUser, botScope)
	for range 5 {
		go func() { _, _ = try(doomed.address, routes[1].send(bot, conversation(1), text("hello"))) }()
	}
	eventually(t, "five messages are in flight", func() error {
		if n := len(up.seen()); n != 5 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	_ = doomed.cmd.Process.Kill()
	<-doomed.done
	o := wantOurError(t, other.do(t, routes[1].send(bot, conversation(1), repeated(text("hello"), 4)...)), 429, "identical_messages")
	if message, _ := at(o, "message").(string); !strings.Contains(message, "5") {
		t.Errorf("the five messages in flight do not count: %v", o)
	}
	rotated := mintSigned("another key", claims(botUser, botScope))
	wantOurError(t, other.do(t, routes[0].send(rotated, conversation(2), repeated(text("hello"), 9)...)), 429, "identical_messages")
	wantStatus(t, other.do(t, routes[0].send(rotated, conversation(2), repeated(text("hello"), 8)...)), 201)
}
