package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// spellingSeed makes the same spellings on every run.
const spellingSeed = 20

// onlyIdentical leaves only the rule about identical messages in force.
const onlyIdentical = noRequestLimits + "loopguard: {consecutive: {mode: off}}\nlog: {access: false}\n"

// routerHit is what a router's handler says of the request that it got.
type routerHit struct {
	Route        string `json:"route"`
	Conversation string `json:"conversation"`
}

// routerRun is one router behind a gateway, and what has come of the spellings.
type routerRun struct {
	name            string
	router, gateway string // addresses
	direct, refused atomic.Int32
	judged          atomic.Int32
}

// TestNoSpellingOfAPathPassesARouterUncounted is a differential test. When a
// router lets a spelling into a handler that creates messages, the gateway must
// have counted the message in the very conversation that the handler was given.
// Every spelling is the first message of a bot of its own, so that seven more of
// the same in the handler's conversation must pass and an eighth must not.
func TestNoSpellingOfAPathPassesARouterUncounted(t *testing.T) {
	t.Parallel()
	oracle := startOracle(t, "routers.js")
	for _, name := range []string{"express", "koa", "fastify"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, "http://"+oracle[name], setup{rest: onlyIdentical})
			run := &routerRun{name: name, router: oracle[name], gateway: g.address}
			list := spellings(rand.New(rand.NewPCG(spellingSeed, 0)), g.address, 600)
			run.each(list, func(p pair, i int) error { return run.check(p, &list[i], i) }, t)
			t.Logf("%d spellings: %d reach a handler without a gateway; of those the gateway counted %d where the handler found them and refused %d",
				len(list), run.direct.Load(), run.judged.Load(), run.refused.Load())
			if run.direct.Load() < 60 || run.judged.Load() < 40 {
				t.Error("the spellings say little")
			}
		})
	}
}

// TestABotCannotSpellItsWayPastTheRule is one bot that says the same in one
// conversation in every spelling there is. New conversations are left out: the
// gateway can't know beforehand that their messages go into an existing one.
func TestABotCannotSpellItsWayPastTheRule(t *testing.T) {
	t.Parallel()
	oracle := startOracle(t, "routers.js")
	for _, name := range []string{"express", "koa", "fastify"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, "http://"+oracle[name], setup{rest: onlyIdentical})
			run := &routerRun{name: name, router: oracle[name], gateway: g.address}
			rng := rand.New(rand.NewPCG(spellingSeed, 1))
			list := slices.DeleteFunc(spellings(rng, g.address, 600), func(s spelling) bool { return s.route.path == "/v2/conversations" })
			rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			token := mint(botUser, botScope)
			run.each(list, func(p pair, i int) error {
				_, err := p.gateway.send(list[i].request(g.address, token))
				return err
			}, t)
			_, hits, err := fetch("http://" + oracle["control"] + "/" + name + "/" + spelled)
			if err != nil || hits != "8" {
				t.Errorf("%s of %d identical messages reached a handler, want 8 (%v)", hits, len(list), err)
			}
		})
	}
}

// pair is a worker's connections.
type pair struct{ gateway, router *pipe }

// each calls do for every spelling, from a few workers at once.
func (run *routerRun) each(list []spelling, do func(p pair, i int) error, t *testing.T) {
	var next atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p := pair{&pipe{address: run.gateway}, &pipe{address: run.router}}
			defer p.gateway.close()
			defer p.router.close()
			for i := next.Add(1) - 1; int(i) < len(list); i = next.Add(1) - 1 {
				if err := do(p, int(i)); err != nil {
					t.Errorf("POST %q: %v", list[i].target, err)
				}
			}
		})
	}
	wg.Wait()
}

// request is a message of the bot in this spelling.
func (s *spelling) request(host, token string) string {
	return post(s.target, host, s.route.body, "Content-Type: application/json", "Authorization: Bearer "+token, "X-Conversation: "+spelled)
}

// check sends one spelling to the router, through the gateway, and asks the
// gateway where it has counted it.
func (run *routerRun) check(p pair, s *spelling, i int) error {
	token := mint(fmt.Sprintf("65aa0011223344556677%04x", i), botScope)
	request := s.request(run.gateway, token)
	direct, err := p.router.send(request)
	if err != nil {
		return fmt.Errorf("to the router: %w", err)
	}
	through, err := p.gateway.send(request)
	if err != nil {
		return fmt.Errorf("through the gateway: %w", err)
	}
	run.count(direct, through)
	if err := s.sameTarget(run.gateway, direct, through); err != nil {
		return err
	}
	hit, ok := hitOf(through)
	if !ok {
		return nil
	}
	run.judged.Add(1)
	if message := s.route.messageOn(hit.Route); message != "" {
		return wantCounted(p.gateway, token, hit.Conversation, message, 1)
	}
	return nil
}

func (run *routerRun) count(direct, through answer) {
	if _, ok := hitOf(direct); ok {
		run.direct.Add(1)
		if through.header.Get("X-Oracle-Url") == "" {
			run.refused.Add(1)
		}
	}
}

// sameTarget checks that a request which was not refused reached the router as
// it was sent, and was read by it as it would have been without the gateway.
func (s *spelling) sameTarget(host string, direct, through answer) error {
	url := through.header.Get("X-Oracle-Url")
	if url == "" {
		if through.status != 400 && through.status != 505 { // a space in a target makes a wrong version
			return fmt.Errorf("the gateway did not forward it and answered %s", through)
		}
		return nil
	}
	got, _ := base64.StdEncoding.DecodeString(url)
	want := s.target
	if !strings.HasPrefix(want, "/") {
		want = want[strings.Index(strings.ToLower(want), strings.ToLower(host))+len(host):]
	}
	if string(got) != want {
		return fmt.Errorf("the router was sent %q", got)
	}
	if a, b := direct.header.Get("X-Oracle-Hit"), through.header.Get("X-Oracle-Hit"); a != b {
		return fmt.Errorf("the router's handler says %q without the gateway and %q behind it", a, b)
	}
	return nil
}

func hitOf(a answer) (hit routerHit, ok bool) {
	text, err := base64.StdEncoding.DecodeString(a.header.Get("X-Oracle-Hit"))
	return hit, err == nil && json.Unmarshal(text, &hit) == nil
}

// wantCounted checks that the gateway has counted n times what the bot says now:
// as many more as fit are admitted, and then no other.
func wantCounted(g *pipe, token, conversation, message string, n int) error {
	const limit = 8
	rest := "[" + strings.TrimSuffix(strings.Repeat(message+",", limit-n), ",") + "]"
	for _, try := range []struct {
		body   string
		status int
	}{{rest, 201}, {message, 429}} {
		a, err := g.send(post("/v2/conversations/"+conversation+"/messages", g.address, try.body,
			"Content-Type: application/json", "Authorization: Bearer "+token))
		if err != nil {
			return err
		}
		if a.status != try.status {
			return fmt.Errorf("a message reached conversation %q and was not counted %d times there: %.80s was answered %s, want %d",
				conversation, n, try.body, a, try.status)
		}
	}
	return nil
}
