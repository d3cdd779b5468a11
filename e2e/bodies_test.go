package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
)

// bodySeed makes the same bodies on every run.
const bodySeed = 21

// bodyReaders are the upstreams of oracle/bodies.js.
var bodyReaders = []string{"express", "eager", "fastify"}

// bodyRun is one upstream behind a gateway, and what has come of the bodies.
type bodyRun struct {
	upstream, gateway     string // addresses
	direct, refused, read atomic.Int32
}

// TestNoBodyIsReadOtherwiseThanItWasJudged is a differential test. Whatever
// messages an upstream reads out of a body that has passed the gateway, the
// gateway must have counted exactly those, in the same conversation. Every body is
// the first of a bot of its own; the gateway is then asked how often the bot may
// say the same again.
func TestNoBodyIsReadOtherwiseThanItWasJudged(t *testing.T) {
	t.Parallel()
	oracle := startOracle(t, "bodies.js")
	for _, name := range bodyReaders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, "http://"+oracle[name], setup{rest: onlyIdentical})
			run := &bodyRun{upstream: oracle[name], gateway: g.address}
			list := bodies(rand.New(rand.NewPCG(bodySeed, 0)), 500)
			inPairs(t, run.gateway, run.upstream, len(list), func(p pair, i int) error {
				return list[i].explain(run.check(p, list[i], i))
			})
			t.Logf("%d bodies: the upstream reads messages out of %d without a gateway; of those the gateway counted %d as they were read and refused %d",
				len(list), run.direct.Load(), run.read.Load(), run.refused.Load())
			if run.direct.Load() < 300 || run.read.Load() < 200 {
				t.Error("the bodies say little")
			}
		})
	}
}

// TestNoBodyTakesABotPastTheRule is one bot that sends every body there is to the
// same conversation. New conversations are left out: the gateway can't know
// beforehand that their messages go into an existing one.
func TestNoBodyTakesABotPastTheRule(t *testing.T) {
	t.Parallel()
	oracle := startOracle(t, "bodies.js")
	for _, name := range bodyReaders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, "http://"+oracle[name], setup{rest: onlyIdentical})
			rng := rand.New(rand.NewPCG(bodySeed, 1))
			list := slices.DeleteFunc(bodies(rng, 500), func(b postedBody) bool { return b.target == "/v2/conversations" })
			rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			token := mint(botUser, botScope)
			inPairs(t, g.address, oracle[name], len(list), func(p pair, i int) error {
				_, err := p.gateway.send(list[i].request(g.address, token))
				return list[i].explain(err)
			})
			_, text, err := fetch("http://" + oracle["control"] + "/" + name)
			var most struct {
				What  string
				Times int
			}
			// Fewer than 8 when the gateway counts a body that this upstream ignores.
			if err != nil || json.Unmarshal([]byte(text), &most) != nil || most.Times > 8 || most.Times < 4 {
				t.Errorf("the message that was read most often was read %d times, want at most 8, and some: %s (%v)", most.Times, most.What, err)
			}
		})
	}
}

// check sends one body to the upstream, through the gateway, and asks the gateway
// what it has counted.
func (run *bodyRun) check(p pair, b postedBody, i int) error {
	token := mint(fmt.Sprintf("65aa0011223344556677%04x", i), botScope)
	request := b.request(run.gateway, token)
	direct, err := p.upstream.send(request)
	if err != nil {
		return fmt.Errorf("to the upstream: %w", err)
	}
	through, err := p.gateway.send(request)
	if err != nil {
		return fmt.Errorf("through the gateway: %w", err)
	}
	if through.status >= 500 {
		return fmt.Errorf("the gateway answered %s", through)
	}
	list := messagesRead(through)
	switch {
	case len(list) > 0:
		run.direct.Add(1)
		run.read.Add(1)
	case len(messagesRead(direct)) > 0:
		run.direct.Add(1)
		run.refused.Add(1)
	}
	return wantAllCounted(p.gateway, token, list)
}

// messagesRead is what an upstream says that it read; nothing after a refusal.
func messagesRead(a answer) []readMessage {
	var o struct{ Read []readMessage }
	if a.status >= 300 || json.Unmarshal(a.body, &o) != nil {
		return nil
	}
	return o.Read
}

// wantAllCounted checks that the gateway has counted each message as often as it
// is in the list.
func wantAllCounted(g *pipe, token string, list []readMessage) error {
	times := map[readMessage]int{}
	for _, m := range list {
		times[m]++
	}
	for m, n := range times {
		if n > 8 {
			return fmt.Errorf("%d identical messages were read out of it: %v", n, m)
		}
		if err := wantSaid(g, token, m, n); err != nil {
			return err
		}
	}
	return nil
}
