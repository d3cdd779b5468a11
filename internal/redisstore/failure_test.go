package redisstore

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// journal is a log that can be read while it is written.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) lines(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.buf.String(), text)
}

// openFailing opens a store with the timeout of production, and a log.
func openFailing(t *testing.T, server *server, change func(*Config)) (*Store, *journal) {
	cfg := testConfig(server.addr)
	cfg.Timeout = 20 * time.Millisecond
	change(&cfg)
	log := new(journal)
	return open(t, cfg, slog.New(slog.NewTextHandler(log, nil))), log
}

// breakdown makes calls until the store has given the server up.
func breakdown(t *testing.T, s *Store) {
	t.Helper()
	eventually(t, "the store is degraded", func() bool {
		s.Take(time.Now().UnixNano(), limiter.Hit{}, perSecond("somebody"))
		return s.Degraded()
	})
}

func TestWithoutAServerTheShareIsEnforcedHere(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s, log := openFailing(t, server, func(c *Config) { c.Replicas = 3 })
	if _, cause := s.LastFailure(); cause != "" {
		t.Errorf("nothing has failed yet, but %q is told", cause)
	}
	server.kill()
	breakdown(t, s)
	if at, cause := s.LastFailure(); cause == "" || time.Since(at) > time.Minute {
		t.Errorf("the last failure is told as %q at %v", cause, at)
	}
	now := time.Now().UnixNano()
	admitted := 0
	for range 50 {
		if s.Take(now, perSecond("ip"), perSecond("k")).Admitted {
			admitted++
		}
	}
	if admitted != 7 { // 20 of three gateways, rounded up
		t.Errorf("%d requests were admitted, want 7", admitted)
	}
	sentTexts := 0
	for range 20 {
		var res loopguard.Reservation
		if d := s.Reserve(now, rules, bot, message("c", "a"), &res); d.Admitted {
			sentTexts++
		}
		s.Keep(&res)
	}
	if sentTexts != 3 { // 8 of three gateways, rounded up
		t.Errorf("%d identical messages were admitted, want 3", sentTexts)
	}
	failed := s.Failed(OpLimit.String())
	if failed < failuresToOpen || failed > failuresToOpen+2 {
		t.Errorf("%d calls failed, want %d: a dead server costs nothing after that", failed, failuresToOpen)
	}
	server.run()
	eventually(t, "the store recovers by itself", func() bool { return !s.Degraded() })
	if d := s.Take(0, limiter.Hit{}, perSecond("k")); d.States[limiter.PerKey].Used != 1 || d.States[limiter.PerKey].Limit.Requests != 20 {
		t.Errorf("a server that was restarted empty: %+v", d)
	}
	if log.lines("cannot reach the shared store") != 1 || log.lines("answers again") != 1 {
		t.Errorf("the log says more than when it began and when it ended:\n%s", log.buf.String())
	}
}

func TestAllowAndDeny(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	allow, _ := openFailing(t, server, func(c *Config) { c.OnFailure = Allow })
	deny, _ := openFailing(t, server, func(c *Config) { c.OnFailure = Deny })
	if !deny.Ready() {
		t.Error("not ready although the server answers")
	}
	server.kill()
	breakdown(t, allow)
	breakdown(t, deny)
	for range 50 {
		var res loopguard.Reservation
		if !allow.Take(0, limiter.Hit{}, perSecond("k")).Admitted || !allow.Reserve(0, rules, bot, message("c", "a"), &res).Admitted {
			t.Fatal("refused")
		}
		allow.Keep(&res)
		if d := deny.Take(0, limiter.Hit{}, perSecond("k")); d.Admitted || !d.Unavailable {
			t.Fatalf("got %+v", d)
		}
		if d := deny.Reserve(0, rules, bot, message("c", "a"), &res); d.Admitted || !d.Unavailable {
			t.Fatalf("got %+v", d)
		}
		deny.GiveBack(&res)
	}
	if !allow.Ready() || deny.Ready() {
		t.Error("who denies everything is not ready, who allows it is")
	}
}

// What is settled while the server stands still is settled when it goes on, and
// what it decided too late counts for nothing.
func TestAServerThatStandsStillIsToldLater(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s, _ := openFailing(t, server, func(*Config) {})
	flying := make([]loopguard.Reservation, 5)
	for i := range flying {
		if d := s.Reserve(0, rules, bot, message("c", "a"), &flying[i]); !d.Admitted || flying[i].Name == 0 {
			t.Fatalf("got %+v", d)
		}
	}
	server.signal(syscall.SIGSTOP)
	var late loopguard.Reservation
	if d := s.Reserve(0, rules, bot, message("c", "a"), &late); !d.Admitted || late.Name != 0 {
		t.Errorf("a server that stands still is still waited for: %+v", d)
	}
	s.GiveBack(&late)
	for i := range flying[:3] {
		s.Keep(&flying[i])
	}
	s.GiveBack(&flying[3])
	s.GiveBack(&flying[4])
	s.Reply(0, loopguard.Reply{Conversation: idOf("d"), Window: time.Hour})
	breakdown(t, s)
	server.signal(syscall.SIGCONT)
	eventually(t, "the store recovers", func() bool { return !s.Degraded() })
	other := loopguard.Sender{Bot: bot.Bot, Token: idOf("other token")}
	var res loopguard.Reservation
	if d := s.Reserve(0, rules, other, message("c", "a"), &res); d.States[loopguard.Identical].Used != 4 {
		t.Errorf("three messages were kept, and one is new: %+v", d)
	}
	s.GiveBack(&res)
	if d := s.Reserve(0, rules, bot, message("c", "a"), &res); d.States[loopguard.Identical].Used != 4 {
		t.Errorf("nothing is in flight any more: %+v", d)
	}
	if server.do("EXISTS", replyKey(idOf("d"))) != "1" {
		t.Error("the reply was forgotten")
	}
}

func TestAServerThatIsNotThereAtTheStart(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	server.kill()
	s, log := openFailing(t, server, func(*Config) {})
	if !s.Degraded() || log.lines("cannot reach") != 1 {
		t.Error("the store does not say that it is degraded")
	}
	s.Reply(0, loopguard.Reply{Conversation: idOf("d"), Window: time.Hour})
	if d := s.Take(time.Now().UnixNano(), limiter.Hit{}, perSecond("k")); !d.Admitted || d.States[limiter.PerKey].Used != 1 {
		t.Errorf("got %+v", d)
	}
	server.run()
	eventually(t, "the store has connected", func() bool { return !s.Degraded() })
	eventually(t, "what was owed is paid", func() bool { return server.do("EXISTS", replyKey(idOf("d"))) == "1" })
}

// A gateway that dies between reserving and settling leaves its messages in
// flight: they block nobody but their own token, and leave with their window.
func TestADeadGatewayBlocksNobodyElse(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	dead, alive := open(t, testConfig(server.addr), nil), open(t, testConfig(server.addr), nil)
	var res loopguard.Reservation
	for range 8 {
		res = loopguard.Reservation{}
		dead.Reserve(0, rules, bot, message("c", "a"), &res)
	}
	if d := alive.Reserve(0, rules, bot, message("c", "a"), &res); d.Admitted {
		t.Errorf("the token's own messages in flight: %+v", d)
	}
	other := loopguard.Sender{Bot: bot.Bot, Token: idOf("other token")}
	if d := alive.Reserve(0, rules, other, message("c", "a"), &res); !d.Admitted || d.States[loopguard.Identical].Used != 1 {
		t.Errorf("another token of the bot: %+v", d)
	}
}
