package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
			run := &routerRun{router: oracle[name], gateway: g.address}
			list := spellings(rand.New(rand.NewPCG(spellingSeed, 0)), g.address, 600)
			inPairs(t, run.gateway, run.router, len(list), func(p pair, i int) error {
				return list[i].explain(run.check(p, &list[i], i))
			})
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
			rng := rand.New(rand.NewPCG(spellingSeed, 1))
			list := slices.DeleteFunc(spellings(rng, g.address, 600), func(s spelling) bool { return s.route.path == "/v2/conversations" })
			rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			token := mint(botUser, botScope)
			inPairs(t, g.address, oracle[name], len(list), func(p pair, i int) error {
				_, err := p.gateway.send(list[i].request(g.address, token))
				return list[i].explain(err)
			})
			_, hits, err := fetch("http://" + oracle["control"] + "/" + name + "/" + spelled)
			if err != nil || hits != "8" {
				t.Errorf("%s of %d identical messages reached a handler, want 8 (%v)", hits, len(list), err)
			}
		})
	}
}

// TestARequestThatTheUpstreamHangsUpOnCostsNobodyElse: Node.js takes no more header
// than the gateway does, and what the gateway adds may be too much. Fastify then
// hangs up without having said so.
func TestARequestThatTheUpstreamHangsUpOnCostsNobodyElse(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "http://"+startOracle(t, "routers.js")["fastify"], setup{rest: onlyIdentical})
	large := &pipe{address: g.address}
	defer large.close()
	other := &pipe{address: g.address}
	defer other.close()
	for i := range 30 {
		a, err := large.send(post("/v2/things", g.address, "", "X-Large: "+strings.Repeat("v", 16_270)))
		if err != nil || a.status != 431 || strings.Contains(string(a.body), "headers_too_large") {
			t.Fatalf("the large header is answered %s (%v), want the upstream's 431", a, err)
		}
		s := spelling{guardedRoutes[0].path, guardedRoutes[0]}
		a, err = other.send(s.request(g.address, mint(fmt.Sprintf("65aa0011223344556677%04x", i), botScope)))
		if err != nil || a.status != 201 {
			t.Fatalf("another client's message is answered %s (%v)", a, err)
		}
	}
}

// request is a message of the bot in this spelling.
func (s *spelling) request(host, token string) string {
	return post(s.target, host, s.route.body, "Content-Type: application/json", "Authorization: Bearer "+token, "X-Conversation: "+spelled)
}

// explain says which spelling an error is about.
func (s *spelling) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("POST %q: %w", s.target, err)
}

// check sends one spelling to the router, through the gateway, and asks the
// gateway where it has counted it.
func (run *routerRun) check(p pair, s *spelling, i int) error {
	token := mint(fmt.Sprintf("65aa0011223344556677%04x", i), botScope)
	request := s.request(run.gateway, token)
	direct, err := p.upstream.send(request)
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
		conversation, _ := json.Marshal(hit.Conversation)
		return wantSaid(p.gateway, token, readMessage{string(conversation), message}, 1)
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
