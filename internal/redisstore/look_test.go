package redisstore

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chatshipper/gateway/limiter"
)

// Another store, whose caller's clock is ten minutes wrong, tells what the first
// has counted, on that clock.
func TestLookingPlacesTimesOnTheCallersClock(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	first, second := open(t, testConfig(server.addr), nil), open(t, testConfig(server.addr), nil)
	hit := limiter.Hit{ID: idOf("k"), Limit: limiter.Limit{Requests: 2, Window: time.Hour}}
	for range 2 {
		first.Take(0, limiter.Hit{}, hit)
	}
	before, now := evaluations(t, server), time.Now().Add(10*time.Minute).UnixNano()
	live, _, err := second.LookRequests(now, limiter.PerKey, hit)
	if err != nil || live.Used != 2 || !live.Over || live.Wait <= time.Hour-time.Minute || live.Wait > time.Hour {
		t.Fatalf("got %+v, %v", live, err)
	}
	for _, at := range live.Times {
		if ago := time.Duration(now - at); ago < 0 || ago > time.Minute {
			t.Errorf("a request just now was %v ago", ago)
		}
	}
	if n := evaluations(t, server) - before; n > 2 { // the server may have to be sent the script
		t.Errorf("looking took %d commands", n)
	}
	if other, _, _ := second.LookRequests(now, limiter.PerIP, hit); other.Used != 0 {
		t.Errorf("an address of the same name: %+v", other)
	}
}

// Questions to a server that stands still fail, tell the counts of this gateway,
// and cost the requests nothing.
func TestLookingWithoutAServerSaysSo(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s, _ := openFailing(t, server, func(c *Config) { c.Replicas = 4 })
	allow, _ := openFailing(t, server, func(c *Config) { c.OnFailure = Allow })
	server.signal(syscall.SIGSTOP)
	text := message("c", "a")[0]
	for range 2 * failuresToOpen {
		if _, _, err := s.LookRequests(0, limiter.PerKey, perSecond("k")); err == nil || !strings.Contains(err.Error(), "its share of the limits") {
			t.Errorf("got %v", err)
		}
		if _, err := s.LookMessages(0, rules, bot, text); err == nil {
			t.Error("a server that stands still was asked")
		}
	}
	if s.Degraded() || s.Failed(OpLimit.String())+s.Failed(OpReserve.String()) != 0 {
		t.Error("an operator's questions make the store degraded")
	}
	breakdown(t, s)
	now := time.Now().UnixNano()
	for range 9 {
		s.Take(now, limiter.Hit{}, perSecond("k"))
	}
	s.Charge(now, rules, bot, message("c", "a"))
	live, _, err := s.LookRequests(now, limiter.PerKey, perSecond("k"))
	list, alsoErr := s.LookMessages(now, rules, bot, text)
	if err == nil || live.Used != 5 || live.Limit.Requests != 5 || !live.Over || alsoErr == nil || len(list) != 2 || list[1].Used != 1 || list[1].Limit.Messages != 2 {
		t.Errorf("a quarter is counted here: %+v %v, %+v %v", live, err, list, alsoErr)
	}
	breakdown(t, allow)
	for range 9 {
		allow.Charge(now, rules, bot, message("c", "a"))
	}
	list, err = allow.LookMessages(now, rules, bot, text)
	if err == nil || !strings.Contains(err.Error(), "nothing is refused") || len(list) != 2 || list[1].Wait != 0 {
		t.Errorf("nothing is refused: %+v, %v", list, err)
	}
	server.signal(syscall.SIGCONT)
	eventually(t, "the server is asked again", func() bool {
		_, _, err := s.LookRequests(0, limiter.PerKey, perSecond("k"))
		return err == nil
	})
}
