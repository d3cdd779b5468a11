package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatshipper/gateway/bench/internal/load"
	"github.com/chatshipper/gateway/bench/internal/peer"
)

const (
	botScope   = "viewer guest agent bot"
	agentScope = "viewer guest agent"
)

// checkPolicies makes sure that whoever says so really refuses what the gateway
// refuses: otherwise the comparison would be with something else.
func (b *bench) checkPolicies() error {
	up, addr, err := startUpstream("")
	if up != nil {
		defer up.Stop()
	}
	if err != nil {
		return err
	}
	for i := range b.peers {
		if !b.peers[i].Policy {
			continue
		}
		line, err := checkPolicy(&b.peers[i], addr)
		if err != nil {
			return fmt.Errorf("cannot compare with %s: %w", b.peers[i].Name, err)
		}
		fmt.Fprintln(b.out, line)
		b.checked = append(b.checked, line)
	}
	return nil
}

// probe sends requests to one instance and remembers the first surprise.
type probe struct {
	addr string
	err  error
}

// send expects a status.
func (p *probe) send(want int, method, path, token, body string) {
	if p.err != nil {
		return
	}
	req, err := http.NewRequest(method, "http://"+p.addr+path, strings.NewReader(body))
	if err != nil {
		p.err = err
		return
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.err = err
		return
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		p.err = err
	} else if res.StatusCode != want {
		p.err = fmt.Errorf("%s %s was answered %d, expected %d", method, path, res.StatusCode, want)
	}
}

func (p *probe) phase(name string) {
	if p.err != nil && !strings.HasPrefix(p.err.Error(), "[") {
		p.err = fmt.Errorf("[%s] %w", name, p.err)
	}
}

func checkPolicy(who *peer.Peer, upstream string) (string, error) {
	for _, perIP := range []int{documented, raised} {
		i, err := who.Start(peer.Settings{Upstream: upstream, PerIP: perIP, Cores: "0,1"})
		if err != nil {
			return "", err
		}
		p := &probe{addr: i.Addr}
		if perIP == documented {
			p.checkAddress()
		} else {
			p.checkKeyAndMessages()
		}
		i.Stop()
		if p.err != nil {
			return "", p.err
		}
	}
	return who.Name + ": the 21st request of an address and of a key within a second was answered 429, " +
		"so was the 9th identical message (its keys in another order) and the 21st consecutive one; " +
		"an agent's message let the bot go on; PUT was answered 405", nil
}

// burst sends GETs at once, one for each token, and returns how many passed.
func (p *probe) burst(tokens []string) int {
	var passed atomic.Int64
	var all sync.WaitGroup
	for _, token := range tokens {
		all.Go(func() {
			one := probe{addr: p.addr}
			if one.send(200, "GET", "/v2/contacts", token, ""); one.err == nil {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	return int(passed.Load())
}

// twentyOf expects 20 of 21 to pass. A machine that takes long for the 21 lets
// more pass where requests are paced: then it tries again, later.
func (p *probe) twentyOf(what string, token func(attempt, k int) string) {
	var counts []int
	for attempt := range 5 {
		var tokens []string
		for k := range 21 {
			tokens = append(tokens, token(attempt, k))
		}
		counts = append(counts, p.burst(tokens))
		if counts[attempt] == 20 {
			return
		}
		p.pause()
	}
	p.err = fmt.Errorf("of 21 requests of %s, %v passed in five attempts, expected 20", what, counts)
}

func (p *probe) checkAddress() {
	p.twentyOf("an address", func(attempt, k int) string { return load.Token(100*attempt+k, botScope) })
}

func (p *probe) checkKeyAndMessages() {
	bot, agent := load.Token(1, botScope), load.Token(2, agentScope)
	p.twentyOf("a key", func(attempt, _ int) string { return load.Token(10+attempt, botScope) })
	p.send(405, "PUT", "/v2/contacts/1", load.Token(3, botScope), "{}")
	p.phase("PUT")

	p.pause()
	for k := range 8 {
		p.send(201, "POST", "/v2/messages", bot, same(k))
	}
	p.send(429, "POST", "/v2/messages", bot, same(8))
	p.phase("9 identical messages")

	for k := range 20 {
		if k%10 == 0 {
			p.pause()
		}
		p.send(201, "POST", "/v2/messages", bot, other(k))
	}
	p.pause()
	p.send(429, "POST", "/v2/messages", bot, other(20))
	p.phase("21 consecutive messages")
	p.send(201, "POST", "/v2/messages", agent, other(21))
	p.send(201, "POST", "/v2/messages", bot, other(22))
	p.phase("a bot after an agent's reply")
}

// pause lets the limits of a second forget. Real gateways have real time only.
func (p *probe) pause() {
	if p.err == nil {
		time.Sleep(1500 * time.Millisecond)
	}
}

// same is one message, spelled in two ways.
func same(k int) string {
	if k%2 == 0 {
		return `{"conversation":"65aa0e00aabbccddeeff0001","type":"chat","text":"hello"}`
	}
	return `{"text":"hello", "type":"chat", "conversation":"65aa0e00aabbccddeeff0001"}`
}

func other(k int) string {
	return fmt.Sprintf(`{"conversation":"65aa0e00aabbccddeeff0002","type":"chat","text":"hello %d"}`, k)
}
