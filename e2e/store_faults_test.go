package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// wantNo5xx checks that no client saw a fault of Redis.
func wantNo5xx(t *testing.T, answers []answer) {
	t.Helper()
	for _, a := range answers {
		if a.status >= 500 {
			t.Fatalf("a client saw %s", a)
		}
	}
}

// degraded waits until a gateway says that it uses Redis again, or does not.
func (g *gateway) degraded(t *testing.T, want float64) {
	t.Helper()
	eventually(t, fmt.Sprintf("gateway_store_degraded is %v", want), func() error {
		if got := g.metrics(t).value(t, "gateway_store_degraded"); got != want {
			return fmt.Errorf("it is %v", got)
		}
		return nil
	})
}

// stamped is an upstream that remembers when requests came.
type stamped struct {
	mu    sync.Mutex
	times []time.Time
}

func (s *stamped) handle(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.times = append(s.times, time.Now())
	s.mu.Unlock()
	agreeable(w, r)
}

// most is how many requests came within any second. An answer of Redis may take
// its way from decision to upstream a little faster than the next, so a second is
// taken for 950 ms.
func (s *stamped) most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortFunc(s.times, time.Time.Compare)
	most, first := 0, 0
	for last := range s.times {
		for s.times[last].Sub(s.times[first]) >= 950*time.Millisecond {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// The worst case that the docs promise for `local`: what Redis admits, and what
// all gateways together admit without it, in the same second.
const worstLocal = 20 + 4*5

// Under load Redis is killed, comes back empty, and stands still for 5 s. No
// client sees a 5xx, the bound holds, and nobody has to restart anything.
func TestRedisDiesAndStandsStillUnderLoad(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	seen := new(stamped)
	up := startStub(t, seen.handle)
	gateways := fleet(t, up.URL, func(int) setup { return redis.shared(", timeout: 50ms", onlyPerKey) })
	token := mint(agentUser, agentScope)
	done := make(chan []answer)
	go func() {
		done <- flood(t, gateways, 5*time.Millisecond, 11*time.Second, func(int) call { return call{path: "/v2/users", token: token} })
	}()
	each := func(want float64) {
		t.Helper()
		for _, g := range gateways {
			g.degraded(t, want)
		}
	}
	time.Sleep(time.Second)
	redis.kill()
	each(1)
	time.Sleep(1100 * time.Millisecond) // within one window an empty Redis would be a third allowance
	redis.run(t)
	each(0)
	time.Sleep(500 * time.Millisecond)
	redis.signal(t, syscall.SIGSTOP)
	each(1)
	time.Sleep(5 * time.Second)
	redis.signal(t, syscall.SIGCONT)
	each(0)
	answers := <-done
	wantNo5xx(t, answers)
	if most := seen.most(); most > worstLocal {
		t.Errorf("%d requests within a second, the worst case is %d", most, worstLocal)
	}
	if passed := count(answers, 200); passed < 150 {
		t.Errorf("only %d requests were admitted in 11 s", passed)
	}
	for _, g := range gateways {
		began, ended := strings.Count(g.logs(), "cannot reach the shared store"), strings.Count(g.logs(), "the shared store answers again")
		if began < 2 || began != ended {
			t.Errorf("the log says %d times that it began, and %d times that it ended; want 2", began, ended)
		}
		if g.metrics(t).value(t, `gateway_store_errors_total{op="limit"}`) < 3 {
			t.Error("failed calls are not counted")
		}
		if status, body, _ := fetch("http://" + g.admin + "/readyz"); status != 200 {
			t.Errorf("/readyz: %d %s", status, body)
		}
	}
}

// Messages that Redis has counted go on counting after it stood still, and the
// worst case of a Redis that was lost is a second allowance.
func TestABotThatLoopsWhileRedisIsGone(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	up := startStub(t, nil)
	gateways := fleet(t, up.URL, func(int) setup { return redis.shared(", timeout: 50ms", noRequestLimits) })
	bot := mint(botUser, botScope)
	sent := 0
	loop := func(tries int) (created int) {
		for range tries {
			sent++
			a := gateways[sent%4].do(t, routes[sent%2].send(bot, conversation(1), text(fmt.Sprint("message ", sent))))
			if a.status == 201 {
				created++
			} else if a.status != 429 {
				t.Fatalf("a client saw %s", a)
			}
		}
		return created
	}
	if n := loop(40); n != 20 {
		t.Errorf("%d messages with Redis, want 20", n)
	}
	redis.signal(t, syscall.SIGSTOP)
	if n := loop(60); n != 20 { // 5 at each of four gateways
		t.Errorf("%d messages without Redis, want 20", n)
	}
	redis.signal(t, syscall.SIGCONT)
	for _, g := range gateways {
		g.degraded(t, 0)
	}
	if n := loop(40); n != 0 {
		t.Errorf("%d messages after Redis stood still, want none: it forgot nothing", n)
	}
	redis.kill()
	redis.run(t)
	for _, g := range gateways {
		eventually(t, "the gateway uses Redis again", func() error {
			g.do(t, call{path: "/v2/users"})
			wantNo5xx(t, []answer{g.do(t, routes[0].send(bot, conversation(9), text("anybody?")))})
			return nil
		})
		g.degraded(t, 0)
	}
	if n := loop(60); n > 20 {
		t.Errorf("%d messages after Redis was restarted empty, want 20 at most", n)
	}
}

func TestAllowAndDenyWithoutRedis(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	up := startStub(t, nil)
	allow := startGateway(t, up.URL, redis.shared(", on_failure: allow, timeout: 50ms", ""))
	deny := startGateway(t, up.URL, redis.shared(", on_failure: deny, timeout: 50ms", ""))
	bot := mint(botUser, botScope)
	redis.kill()
	var answers []answer
	for i := range 60 {
		answers = append(answers, allow.do(t, routes[i%2].send(bot, conversation(1), text("again"))))
	}
	if n := count(answers, 201); n != 60 {
		t.Errorf("allow let %d of 60 messages pass", n)
	}
	for range 5 {
		wantOurError(t, deny.do(t, call{path: "/v2/users", token: bot}), 503, "overloaded")
	}
	if status, body, _ := fetch("http://" + deny.admin + "/readyz"); status != 503 || !strings.Contains(body, "store") {
		t.Errorf("/readyz with deny: %d %s", status, body)
	}
	if status, _, _ := fetch("http://" + allow.admin + "/readyz"); status != 200 {
		t.Errorf("/readyz with allow: %d", status)
	}
	redis.run(t)
	allow.degraded(t, 0)
	deny.degraded(t, 0)
	wantStatus(t, deny.do(t, call{path: "/v2/users", token: bot}), 200)
	deny.awaitReady(t)
}

// Redis is not there when the gateway starts: it starts all the same.
func TestAGatewayStartsWithoutRedis(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	redis.kill()
	g := startGateway(t, startStub(t, nil).URL, redis.shared("", noRequestLimits))
	bot := mint(botUser, botScope)
	for range 2 { // a quarter of 8
		wantStatus(t, g.do(t, routes[0].send(bot, conversation(1), text("hello"))), 201)
	}
	wantOurError(t, g.do(t, routes[0].send(bot, conversation(1), text("hello"))), 429, "identical_messages")
	g.degraded(t, 1)
	redis.run(t)
	g.degraded(t, 0)
	wantStatus(t, g.do(t, routes[0].send(bot, conversation(1), text("hello"))), 201)
	if redis.do(t, "DBSIZE") == ":0" {
		t.Error("nothing is counted in Redis")
	}
}
