package redisstore

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

var hasher = digest.NewHasher(testSecret)

func idOf(name string) digest.ID { return hasher.Sum([]byte(name)) }

var (
	bot   = loopguard.Sender{Bot: idOf("bot"), Token: idOf("token")}
	rules = loopguard.Compile(loopguard.DefaultConfig())
)

func perSecond(name string) limiter.Hit {
	return limiter.Hit{ID: idOf(name), Limit: limiter.Limit{Requests: 20, Window: time.Second}}
}

func message(conversation, text string) []loopguard.Message {
	return []loopguard.Message{{Conversation: idOf(conversation), Content: idOf(text)}}
}

// Four gateways whose clocks are ten minutes apart flood one key for more than a
// second: what counts is the server's clock.
func TestManyStoresAreOneAndTheirClocksDoNotMatter(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	var mu sync.Mutex
	var admitted []int64
	var wg sync.WaitGroup
	for i := range 4 {
		s := open(t, testConfig(server.addr), nil)
		wrong := int64(i) * int64(10*time.Minute)
		for range 8 {
			wg.Go(func() {
				for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); {
					if d := s.Take(time.Now().UnixNano()+wrong, limiter.Hit{}, perSecond("k")); d.Admitted {
						mu.Lock()
						admitted = append(admitted, d.At)
						mu.Unlock()
					}
				}
			})
		}
	}
	wg.Wait()
	slices.Sort(admitted)
	for i := 20; i < len(admitted); i++ {
		if gap := admitted[i] - admitted[i-20]; gap < int64(time.Second) {
			t.Fatalf("21 requests in %v", time.Duration(gap))
		}
	}
	if len(admitted) < 58 {
		t.Errorf("%d requests in 2.5 s, want 60, or 58 at least", len(admitted))
	}
}

// While requests, messages and replies come and go, no key is without a time to
// live, and no name or value holds what a stranger sent.
func TestEveryKeyExpiresAndHoldsNothingInClear(t *testing.T) {
	t.Parallel()
	server := startServer(t, "--rdbcompression", "no")
	s := open(t, testConfig(server.addr), nil)
	s.Take(0, perSecond("192.0.2.1"), perSecond("secret-token"))
	for i := range 10 {
		var res loopguard.Reservation
		s.Reserve(0, rules, bot, message("conversation-1", "secret text"), &res)
		switch i % 3 {
		case 0:
			s.Keep(&res)
		case 1:
			s.GiveBack(&res)
		}
	}
	s.Charge(0, rules, bot, message("conversation-2", "another"))
	s.Reply(0, loopguard.Reply{Conversation: idOf("conversation-1"), Author: bot.Bot, Window: time.Hour})
	keys := strings.Fields(server.do("KEYS", "*"))
	kinds := map[byte]int{}
	for _, key := range keys {
		if ttl := server.do("PTTL", key); strings.HasPrefix(ttl, "-1") {
			t.Errorf("%s never expires", key)
		}
		dump := key + server.do("DUMP", key)
		for _, plain := range []string{"192.0.2.1", "secret", "conversation", "text", "token", "bot"} {
			if strings.Contains(dump, plain) {
				t.Errorf("%s holds %q", key, plain)
			}
		}
		_, kind, _ := strings.Cut(key, "}")
		kinds[kind[0]]++
	}
	for _, kind := range []byte("ikcr") {
		if kinds[kind] == 0 {
			t.Errorf("no key of the kind %c in %v", kind, keys)
		}
	}
}

// All keys of one conversation are in one slot, and all request limits in one.
func TestTagsKeepTogetherWhatIsDecidedTogether(t *testing.T) {
	t.Parallel()
	if slotOf("123456789") != 0x31C3 || slotOf("{user1000}.following") != slotOf("{user1000}.followers") {
		t.Error("the slot is not that of Redis' specification")
	}
	if slotOf(requestKey('i', idOf("a"))) != slotOf(requestKey('k', idOf("b"))) {
		t.Error("an address and a key can't be decided together")
	}
	c := idOf("conversation")
	if slotOf(replyKey(c)) != slotOf(messageKey(c, loopguard.Identical, kept, idOf("x"))) ||
		slotOf(replyKey(c)) != slotOf(messageKey(c, loopguard.Consecutive, sent, idOf("y"))) {
		t.Error("a conversation is spread over slots")
	}
}

// A server that forgot the scripts is sent them again.
func TestScriptsAreSentAgain(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s := open(t, testConfig(server.addr), nil)
	for i := range 5 {
		if d := s.Take(0, limiter.Hit{}, perSecond("k")); d.States[limiter.PerKey].Used != i+1 {
			t.Errorf("request %d: %+v", i+1, d)
		}
		server.do("SCRIPT", "FLUSH")
	}
	if s.Failed(OpLimit.String()) != 0 {
		t.Errorf("%d errors", s.Failed(OpLimit.String()))
	}
}

// One decision is one round trip: one command, whatever it decides about.
func TestADecisionIsOneCommand(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s := open(t, testConfig(server.addr), nil)
	var res loopguard.Reservation
	everything := func() {
		s.Take(0, perSecond("ip"), perSecond("k"))
		s.Reserve(0, rules, bot, append(message("c", "a"), message("d", "b")...), &res)
		s.Keep(&res)
	}
	everything() // sends the scripts
	before := evaluations(t, server)
	everything()
	if n := evaluations(t, server) - before; n != 3 {
		t.Errorf("%d commands for a request, a message and its settlement, want 3", n)
	}
}

func evaluations(t *testing.T, s *server) (n int) {
	t.Helper()
	for line := range strings.Lines(s.do("INFO", "commandstats")) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_eval"); ok {
			_, calls, _ := strings.Cut(rest, "calls=")
			var of int
			if _, err := fmt.Sscanf(calls, "%d", &of); err != nil {
				t.Fatal(err)
			}
			n += of
		}
	}
	return n
}
