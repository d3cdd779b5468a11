package proxy

import (
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/internal/digest"
)

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestABlockedBotIsToldUntilItIsReleased(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.LoopGuard.Identical.Messages = 2; unlimited(c) })
	for range 5 {
		g.do(t, messageOf("loop"))
	}
	_, blocked := g.Limits()
	if len(blocked) != 1 {
		t.Fatalf("got %+v, want one block", blocked)
	}
	b := blocked[0]
	if b.Rule != "identical" || b.Used != 2 || b.Limit != 2 || b.Refused != 3 || b.SecondsLeft < 170 || b.SecondsLeft > 180 ||
		len(b.Bot) != 12 || len(b.Conversation) != 12 || len(b.Content) != 12 || time.Since(b.Since) > time.Minute || b.Window != "3m0s" {
		t.Errorf("told as %+v", b)
	}
	if short, err := g.ResetConversation(b.Conversation); err != nil || short != b.Conversation {
		t.Fatalf("cannot release %s: %v", b.Conversation, err)
	}
	if _, blocked := g.Limits(); len(blocked) != 0 {
		t.Errorf("after its release %+v is told", blocked)
	}
	if a := g.do(t, messageOf("loop")); a.StatusCode != 201 {
		t.Errorf("after its release the bot is answered %d", a.StatusCode)
	}
}

// The consecutive rule blocks a conversation, whatever the texts were.
func TestABlockOfManyTextsIsOne(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.LoopGuard.Consecutive.Messages = 2; unlimited(c) })
	for _, text := range []string{"a", "b", "c", "d", "e"} {
		g.do(t, messageOf(text))
	}
	if _, blocked := g.Limits(); len(blocked) != 1 || blocked[0].Rule != "consecutive" || blocked[0].Refused != 3 || blocked[0].Content != "" {
		t.Errorf("got %+v, want one block of three messages", blocked)
	}
}

func TestInShadowNobodyIsBlocked(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) {
		unlimited(c)
		c.LoopGuard.Identical.Messages = 1
		_ = c.LoopGuard.Identical.Mode.UnmarshalText([]byte("shadow"))
	})
	for range 3 {
		g.do(t, messageOf("loop"))
	}
	limits, blocked := g.Limits()
	if len(blocked) != 0 || limits[2].Mode != "shadow" || limits[2].WouldRefuse != 2 || limits[2].Refused != 0 {
		t.Errorf("blocked %+v, %+v", blocked, limits[2])
	}
}

func TestLimitsTellWhoIsNearest(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) {
		c.Limits.PerIP.Window, c.Limits.PerKey.Window = time.Hour, time.Hour
		c.Limits.PerKey.Requests, c.Limits.PerKey.Shadow.Requests = 4, 3
	})
	g.Watch(true) // else only bots near a limit are known by name
	for range 5 {
		g.do(t, request{"GET", "/v2/users", botToken, "", nil})
	}
	g.do(t, request{"GET", "/v2/users", "other", "", nil})
	g.do(t, request{"POST", "/v2/messages", agentToken, `{"conversation":"` + conversation + `","text":"x"}`, nil})
	limits, _ := g.Limits()
	if len(limits) != 4 || limits[0].Rule != "per_ip" || limits[1].Rule != "per_key" || limits[2].Rule != "identical" || limits[3].Rule != "consecutive" {
		t.Fatalf("got %+v", limits)
	}
	ip, key := limits[0], limits[1]
	if len(ip.Nearest) != 1 || ip.Nearest[0].Used != 6 || ip.Nearest[0].FreeMS != 0 || ip.Keys != 1 || ip.Limit != 20 || ip.WindowMS != 3600000 {
		t.Errorf("per_ip: %+v", ip)
	}
	if len(key.Nearest) != 3 || key.Nearest[0].Used != 4 || key.Nearest[0].FreeMS < 3590000 || key.Refused != 1 || key.Candidate != 3 || key.Mode != "enforce" {
		t.Errorf("per_key: %+v", key)
	}
	decisions, _ := g.Decisions(0)
	if got := decisions[len(decisions)-1].IP; got != ip.Nearest[0].Who {
		t.Errorf("the address is %s among the decisions and %s among the nearest", got, ip.Nearest[0].Who)
	}
	if limits[3].Nearest == nil || len(limits[3].Nearest) != 0 {
		t.Errorf("a human's message is counted: %+v", limits[3].Nearest)
	}
}

// A full set makes room for what was heard last, and keeps what is refused.
func TestTalksKeepWhatIsRefused(t *testing.T) {
	var set talks
	bot, room := digest.ID{Hi: 1}, digest.ID{Hi: 2}
	add := func(content uint64, at, until int64) {
		set.add(talk{bot: bot, conversation: room, content: digest.ID{Hi: content}, heard: at}, until)
	}
	add(1, 10, 1000)
	add(1, 20, 1000)
	for n := range uint64(50) {
		add(100+n, 30+int64(n), 0)
	}
	list := set.latest(100)
	if len(list) != talkPlaces || list[0].content.Hi != 1 || list[0].refused != 2 || list[0].refusedAt != 10 || list[1].content.Hi != 149 {
		t.Errorf("got %+v", list)
	}
	add(1, 2000, 3000) // refused again, long after
	if first := set.latest(1)[0]; first.refused != 1 || first.refusedAt != 2000 {
		t.Errorf("another incident is told as %+v", first)
	}
	add(1, 2500, 0) // admitted
	if got, ok := set.find(room.Short()); !ok || got != room || set.latest(1)[0].refused != 0 {
		t.Errorf("after an admitted message: %+v", set.latest(1))
	}
}

func TestAPointIsWhatHappenedSinceTheLast(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.Limits.PerIP.Requests, c.Limits.PerIP.Window = 4, time.Hour })
	began := time.Now()
	m := g.NewMeter(began)
	for range 6 {
		g.do(t, request{"GET", "/v2/users", botToken, "", nil})
	}
	p := m.Point(began.Add(2 * time.Second))
	if p.Requests != 3 || p.Refused != 1 || p.Failed != 0 || p.RequestsTotal != 6 || p.RefusedTotal != 2 || p.P50 == nil || p.P99 == nil || *p.P50 > *p.P99 || p.OverheadP99 == nil || p.Connections < 1 {
		t.Errorf("got %s", jsonOf(t, p))
	}
	if p = m.Point(began.Add(3 * time.Second)); p.Requests != 0 || p.P50 != nil || p.OverheadP50 != nil || p.RequestsTotal != 6 {
		t.Errorf("a quiet second is %s", jsonOf(t, p))
	}
}

func TestQuantilesAreThoseOfPrometheus(t *testing.T) {
	before := buckets{bounds: []float64{.001, .01, .1}, counts: []uint64{5, 5, 5}, total: 5}
	f := func(q, want float64, counts ...uint64) {
		t.Helper()
		b := buckets{bounds: before.bounds, counts: counts[:3], total: counts[3]}
		if got := b.quantile(&before, q); got == nil || math.Abs(*got-want) > 1e-9 {
			t.Errorf("quantile %v of %v is %v, want %v", q, counts, got, want)
		}
	}
	f(.5, 0.5, 15, 15, 15, 15) // all ten below 1 ms, evenly spread
	f(.5, 5.5, 5, 15, 15, 15)  // all between 1 and 10 ms
	f(.99, 100, 5, 5, 5, 15)   // beyond the last bound
	f(.9, 1, 14, 15, 15, 15)   // nine of ten below 1 ms
	if got := before.quantile(&before, .5); got != nil {
		t.Errorf("of nothing the median is %v", *got)
	}
}

// A dead upstream is told, with the last error and since when.
func TestTheLastErrorOfTheUpstreamIsTold(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := newRecorder(t, ok)
	g := start(t, r, func(c *Config) { c.Upstream.URL = "http://" + ln.Addr().String() })
	if u := g.Upstream(); len(u.Servers) != 1 || u.State != "up" || u.LastError != nil || len(u.Errors) != 0 {
		t.Fatalf("at first: %+v", u)
	}
	if word, why := g.State(); word != "ready" || why != nil {
		t.Errorf("at first: %s %v", word, why)
	}
	_ = ln.Close()
	g.do(t, request{"GET", "/v2/users", botToken, "", nil})
	u := g.Upstream()
	if u.State != "down" || u.Errors["connect"] != 1 || u.LastError == nil || u.LastError.Cause == "" || time.Since(u.LastError.At) > time.Minute {
		t.Errorf("afterwards: %s", jsonOf(t, u))
	}
	if word, why := g.State(); word != "degraded" || len(why) != 1 {
		t.Errorf("afterwards: %s %v", word, why)
	}
	g.Withdraw()
	if word, why := g.State(); word != "draining" || len(why) != 2 {
		t.Errorf("while draining: %s %v", word, why)
	}
}

func TestTheStoreIsTold(t *testing.T) {
	g := start(t, newRecorder(t, ok), nil)
	g.do(t, request{"GET", "/v2/users", botToken, "", nil})
	s := g.StoresNow()
	if len(s) != 1 || s[0].Name != "memory" || s[0].State != "ok" || s[0].Bytes <= 0 || s[0].CapacityBytes != 64<<20 || s[0].Entries["per_ip"] != 1 || s[0].LastError != nil {
		t.Errorf("got %s", jsonOf(t, s))
	}
}

func BenchmarkPoint(b *testing.B) {
	g, err := New(testConfig(&recorder{ln: nowhere(b)}), Deps{Registry: prometheus.NewRegistry(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	m := g.NewMeter(now)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		m.Point(now)
	}
}

// nowhere is a listener that nobody asks.
func nowhere(b *testing.B) net.Listener {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ln.Close() })
	return ln
}
