package rehearse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/chatshipper/gateway/internal/accesslog"
	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/unit"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/proxy"
)

// written is what the gateway's own access log makes of entries.
func written(t testing.TB, entries ...accesslog.Entry) string {
	t.Helper()
	var out bytes.Buffer
	for len(entries) > 0 { // the log drops what it can't write in time, so it gets little at a time
		log := accesslog.New(&out, accesslog.JSON)
		n := min(len(entries), 200)
		for i := range n {
			log.Write(&entries[i])
		}
		if err := log.Close(); err != nil || log.Dropped() > 0 {
			t.Fatalf("%d lines dropped: %v", log.Dropped(), err)
		}
		entries = entries[n:]
	}
	return out.String()
}

// read simulates logs and returns the report.
func read(t *testing.T, s *Simulation, names []string, logs ...string) string {
	t.Helper()
	for _, log := range logs {
		if err := s.Read(strings.NewReader(log), nil); err != nil {
			t.Fatal(err)
		}
	}
	s.End()
	var out strings.Builder
	if err := s.WriteReport(&out, Shown{Names: names, Top: 3}); err != nil {
		t.Fatal(err)
	}
	return squeezed(out.String())
}

// squeezed makes one blank of several, so that tests need not count them.
func squeezed(text string) string { return blanks.ReplaceAllString(text, " ") }

var blanks = regexp.MustCompile(` +`)

func id(n int) digest.ID {
	return digest.ID{Hi: uint64(n) * 0x9E3779B97F4A7C15, Lo: uint64(n)}
}

// message is the line of a bot's message.
func message(at time.Duration, conversation, content int) accesslog.Entry {
	return accesslog.Entry{
		Time: epoch + int64(at), Method: "POST", Route: "messages", Status: 201, Source: "upstream", Decision: Admitted,
		Key: id(1), IP: id(2 + int(at)), Bot: id(3), Role: "bot", Conversation: id(conversation), Content: id(content), Messages: 1,
	}
}

func TestTheDocumentedRulesHoldForALog(t *testing.T) {
	var entries []accesslog.Entry
	for i := range 10 { // two too many identical ones
		entries = append(entries, message(time.Duration(i)*time.Second, 100, 200))
	}
	for i := range 13 { // one too many consecutive ones
		entries = append(entries, message(time.Duration(20+i)*time.Second, 100, 300+i))
	}
	reply := message(40*time.Second, 100, 400)
	reply.Role, reply.Bot, reply.Reply = "human", digest.ID{}, reply.Time
	entries = append(entries, reply, message(41*time.Second, 100, 401))
	for i := range 25 { // five too many of one address
		entries = append(entries, accesslog.Entry{Time: epoch + int64(time.Minute+time.Duration(i)*time.Millisecond), Route: "other", Status: 200, IP: id(5)})
	}
	s := NewSimulation(house(t, nil))
	report := read(t, s, []string{"new.yaml"}, written(t, entries...))
	for _, want := range []string{
		"50 lines: 50 requests from 2026-01-01 00:00:00.000Z to 2026-01-01 00:01:00.024Z (1m0s), 0 malformed, 0 of something else\n",
		"refused by per_ip 0 5",
		"refused by per_key 0 0",
		"refused by identical 0 2",
		"refused by consecutive 0 1",
		"Most refused by new.yaml\n 5 per_ip ip " + id(5).Short() + "\n 2 identical conversation " + id(100).Short() + ", bot " + id(3).Short() + "\n",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in\n%s", want, report)
		}
	}
}

func TestWhereTwoConfigurationsDiffer(t *testing.T) {
	var entries []accesslog.Entry
	for i := range 30 {
		entries = append(entries, accesslog.Entry{Time: epoch + int64(i), Route: "other", Status: 200, IP: id(5), Key: id(6)})
	}
	strict := house(t, func(c *proxy.Config) { c.Limits.PerIP.Requests = 5 })
	shadow := house(t, func(c *proxy.Config) { c.Limits.PerIP.Mode = unit.Shadow; c.Limits.PerKey.Requests = 25 })
	report := read(t, NewSimulation(strict, shadow), []string{"strict.yaml", "shadow.yaml"}, written(t, entries...))
	for _, want := range []string{
		"refused by per_ip 0 25 0",
		"refused by per_key 0 0 5",
		"would refuse: per_ip 0 5",
		"Where strict.yaml differs from shadow.yaml\n 20 admitted before, refused now by per_ip\n 5 refused before by per_key, refused now by per_ip\n",
		"Most refused by strict.yaml only\n 20 per_ip ip " + id(5).Short(),
		"Most refused by shadow.yaml\n 5 per_key key " + id(6).Short(),
	} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in\n%s", want, report)
		}
	}
	same := read(t, NewSimulation(house(t, nil), house(t, nil)), []string{"a", "b"}, written(t, entries...))
	if !strings.Contains(same, "nowhere: every request is decided alike") {
		t.Errorf("two equal configurations differ:\n%s", same)
	}
}

func TestLinesAreJudgedInTheOrderInWhichTheirRequestsBegan(t *testing.T) {
	var entries []accesslog.Entry
	for i := range 2000 { // 19 a second: never refused, in whatever order
		entries = append(entries, accesslog.Entry{Time: epoch + int64(i)*int64(time.Second)/19, Route: "other", Status: 200, IP: id(5)})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; i+500 < len(entries); i += 500 { // within about 26 s
		rng.Shuffle(500, func(a, b int) { entries[i+a], entries[i+b] = entries[i+b], entries[i+a] })
	}
	s := NewSimulation(house(t, nil))
	report := read(t, s, []string{"new.yaml"}, written(t, entries...))
	if s.sides[0].refused[perIP] != 0 || s.queue.late != 0 || !strings.Contains(report, "requests began in the log before the one above") {
		t.Errorf("%d refused, %d late:\n%s", s.sides[0].refused[perIP], s.queue.late, report)
	}
	old := entries[0]
	old.Time -= int64(time.Hour)
	s = NewSimulation(house(t, nil))
	report = read(t, s, []string{"new.yaml"}, written(t, append(entries, old)...))
	if s.queue.late != 1 || s.Judged != 2001 || !strings.Contains(report, "note: 1 request stands more than a minute") {
		t.Errorf("%d late:\n%s", s.queue.late, report)
	}
}

func TestCommonAndCombinedLogs(t *testing.T) {
	var log strings.Builder
	for i := range 25 {
		fmt.Fprintf(&log, "192.0.2.7 - - [01/Jan/2026:00:00:01 +0000] \"GET /v2/users?n=%d HTTP/1.1\" 200 12\n", i)
		fmt.Fprintf(&log, "198.51.100.%d - alice [01/Jan/2026:01:00:01 +0100] \"GET /v2/\\\"users HTTP/1.1\" 200 12 \"-\" \"a \\\"b\\\" [c]\"\r\n", i)
		log.WriteString("192.0.2.9 - - [01/Jan/2026:00:00:01 +0000] \"GET /v2/ping?a HTTP/1.1\" 200 12\n")
		log.WriteString("192.0.2.8 - - [01/Jan/2026:00:00:01 +0000] \"-\" 400 0\n")
	}
	log.WriteString("2001:db8::1 - - [01/Jan/2026:00:00:02 +0000] \"GET / HTTP/1.1\" 200 12") // without an end
	h := house(t, func(c *proxy.Config) {
		c.Limits.Exempt = []limiter.Exempt{{Path: "/v2/ping"}}
		c.Limits.Overrides = []limiter.Override{{CIDR: "192.0.2.0/28", Requests: 10, Window: time.Second}}
	})
	s := NewSimulation(h)
	if err := s.Read(strings.NewReader(log.String()), nil); err != nil {
		t.Fatal(err)
	}
	s.End()
	if s.Judged != 76 || s.Foreign != 25 || s.Malformed != 0 || s.sides[0].refused[perIP] != 15 || s.sides[0].refused[perKey] != 5 {
		t.Errorf("%d judged, %d foreign, %d malformed, %v", s.Judged, s.Foreign, s.Malformed, s.sides[0].refused)
	}
	var hidden, shown strings.Builder
	if err := errors.Join(s.WriteReport(&hidden, Shown{Names: []string{"n"}, Top: 9}), s.WriteReport(&shown, Shown{Names: []string{"n"}, Top: 9, Addresses: true})); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(hidden.String(), "192.0.2") || !strings.Contains(shown.String(), "15  per_ip       ip 192.0.2.7\n") {
		t.Errorf("addresses are shown when they were asked for:\n%s\n%s", hidden.String(), shown.String())
	}
	for _, want := range []string{"note: The times of this log are whole seconds", "note: This log tells nothing of messages"} {
		if !strings.Contains(hidden.String(), want) {
			t.Errorf("no %q in\n%s", want, hidden.String())
		}
	}
}

func TestLinesThatAreNoRequests(t *testing.T) {
	good := written(t, message(0, 1, 2))
	f := func(line string, want kind) {
		t.Helper()
		var l Line
		p := parser{exempt: func([]byte) uint8 { return 0 }}
		if got := p.parse([]byte(line), &l); got != want {
			t.Errorf("%q is %d, want %d", line, got, want)
		}
	}
	f(strings.TrimSuffix(good, "\n"), readable)
	f(`{ "msg" : "request" , "nested":{"a":["}",1]}, "escaped":"\\\"", "yes":true, "time":"2026-01-01T00:00:00+02:00","status":200 }`, readable)
	f("", foreign)
	f("{}", foreign)
	f(`{"msg":"gateway is serving","time":"x"}`, foreign)
	f(`{"msg":"request","time":"yesterday","status":200}`, malformed)
	f(`{"msg":"request","time":"2026-13-01T00:00:00.000Z","status":200}`, malformed)
	f(`{"msg":"request","time":"1969-12-31T00:00:00+00:00","status":200}`, malformed)
	f(`{"msg":"request","time":"2026-01-01T00:00:00.000Z","status":"ok"}`, malformed)
	f(`{"msg":"request","time":"2026-01-01T00:00:00.000Z"}`, malformed)
	f(`{"msg":"request","time":"2026-01-01T00:00:00.000Z","status":200,"key":"xyz"}`, malformed)
	f(`{"msg":"request","time":"2026-01-01T00:00:00.000Z","status":200,"key":"abc"}`, malformed)
	f(`{"msg":"request","time":"2026-01-01T00:00:00.000Z","status":200,"reply":"abc"}`, malformed)
	for n := range len(good) - 2 { // a line that was cut off anywhere
		f(good[:n+1], malformed)
	}
	f("nonsense", malformed)
	f("host.example - - [01/Jan/2026:00:00:01 +0000] \"GET / HTTP/1.1\" 200 12", malformed)
	f("192.0.2.1 - - [31/Feb/2026:00:00:01 +0000] \"GET / HTTP/1.1\" 200 12", malformed)
	f("192.0.2.1 - - [01/Jan/2026:00:00:01 +0000] GET / HTTP/1.1 200 12", malformed)
	f("192.0.2.1 - - [01/Jan/2026:00:00:01 +0000] \"GET / HTTP/1.1 200 12", malformed)
	f("192.0.2.1 - - 01/Jan/2026", malformed)
}

func TestALineOfAnyLengthTakesNoMemory(t *testing.T) {
	huge := io.MultiReader(
		strings.NewReader(written(t, message(0, 1, 2))),
		io.LimitReader(endless('x'), 8<<20), strings.NewReader("\n"),
		io.LimitReader(endless('y'), longest+1), strings.NewReader("\n"),
		strings.NewReader(written(t, message(1, 1, 3))),
	)
	s := NewSimulation(house(t, nil))
	if err := s.Read(huge, nil); err != nil {
		t.Fatal(err)
	}
	s.End()
	if s.Lines != 4 || s.Judged != 2 || s.Malformed != 2 {
		t.Errorf("%d lines, %d judged, %d malformed", s.Lines, s.Judged, s.Malformed)
	}
	if err := s.Read(iotest.ErrReader(io.ErrClosedPipe), nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a broken pipe is no end: %v", err)
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestMemoryIsBoundedWhateverTheLengthOfTheLog(t *testing.T) {
	const most = 2000
	q := queue{most: most}
	last, out := int64(-1), 0
	take := func(l *Line) {
		if l.Time < last {
			t.Fatalf("a line of %d comes after one of %d", l.Time, last)
		}
		last, out = l.Time, out+1
	}
	for i := range 3 * most { // all within a minute, every other 1 ms too late
		q.push(&Line{Time: epoch + int64(i)*1000 - int64(i%2)*1e6}, take)
	}
	if len(q.lines) > most+1 || out != 2*most || q.late != 0 {
		t.Errorf("%d lines are held back, %d went out, %d were late", len(q.lines), out, q.late)
	}
	q.drain(take)
	if out != 3*most {
		t.Errorf("%d lines went out, %d came", out, 3*most)
	}
}

func TestCountsWithoutRoomAreTold(t *testing.T) {
	s := NewSimulation(house(t, func(c *proxy.Config) { c.MemoryBytes = 1 << 20 }))
	if err := s.Read(&generator{end: 4_000, hz: 10_000, clients: 1 << 30}, nil); err != nil {
		t.Fatal(err)
	}
	report := read(t, s, []string{"new.yaml"})
	if n := s.houses[0].requests.Bytes() + s.houses[0].messages.Bytes(); n > 1<<20 || !strings.Contains(report, "note: The counts of new.yaml had no room for ") {
		t.Errorf("the counts take %d bytes:\n%s", n, report)
	}
}

// generator writes lines as the gateway does: hz a second, a fifth of them
// messages of bots.
type generator struct {
	n, end, hz, clients int
	rest                []byte
	buf                 []byte
}

func (g *generator) Read(p []byte) (int, error) {
	for len(g.rest) < len(p) && g.n < g.end {
		at := time.Unix(0, epoch+int64(g.n)*int64(time.Second)/int64(g.hz)).UTC().Format("2006-01-02T15:04:05.000Z")
		who := uint64(g.n%g.clients) * 0x9E3779B97F4A7C15 >> 16
		g.buf = fmt.Appendf(g.buf[:0], `{"time":"%s","level":"INFO","msg":"request","request_id":"2d4de15a240fb6561fbbf6d91db8230d","method":"POST","route":"messages","status":201,"source":"upstream","decision":"admitted","key":"%012x","ip":"%012x"`, at, who, who)
		if g.n%5 == 0 {
			g.buf = fmt.Appendf(g.buf, `,"bot":"%012x","conversation":"%012x","role":"bot","messages":1,"content":"%012x"`, who, who, g.n)
		}
		g.buf = append(g.buf, `,"bytes_in":113,"bytes_out":402,"duration_ms":12.345,"upstream_ms":12.101}`+"\n"...)
		g.rest = append(g.rest, g.buf...)
		g.n++
	}
	if len(g.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, g.rest)
	g.rest = append(g.rest[:0], g.rest[n:]...)
	return n, nil
}

func FuzzLine(f *testing.F) {
	f.Add([]byte(written(f, message(0, 1, 2))))
	f.Add([]byte("192.0.2.1 - bob [01/Jan/2026:00:00:01 +0000] \"GET /v2/ping?x HTTP/1.1\" 200 12 \"-\" \"curl\""))
	f.Add([]byte(`{"a":{"b":["\"]}"]},"msg":"request","time":"2026-01-01T00:00:00Z","status":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var l Line
		p := parser{exempt: func([]byte) uint8 { return 0 }}
		if p.parse(text, &l) == readable && (l.Time < 0 || l.messages < 0) {
			t.Errorf("%q: %+v", text, l)
		}
	})
}

// cpuSeconds is how long this process has had a core: unlike the time of day it
// tells what a core can do on a machine that does other things too.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("BUG: cannot ask for the time used: " + err.Error())
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// The lines are made once and kept in memory, so that only the simulation is
// measured. ns/op is for one line.
func BenchmarkSimulate(b *testing.B) {
	json, err := io.ReadAll(&generator{end: 200_000, hz: 10_000, clients: 5_000})
	if err != nil {
		b.Fatal(err)
	}
	var combined bytes.Buffer
	for i := range 200_000 {
		at := time.Unix(0, epoch+int64(i)*int64(time.Second)/10_000).UTC().Format(commonTime)
		fmt.Fprintf(&combined, "10.0.%d.%d - - [%s] \"GET /v2/conversations/5ee7372448d9940011151f42/messages HTTP/1.1\" 200 2326 \"-\" \"curl/8.5.0\"\n", i%20, i%250, at)
	}
	for name, log := range map[string][]byte{"json": json, "combined": combined.Bytes()} {
		for _, houses := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d", name, houses), func(b *testing.B) {
				b.ReportAllocs()
				begun := cpuSeconds()
				for lines := 0; lines < b.N; lines += 200_000 {
					s := NewSimulation([]*House{house(b, nil), house(b, nil)}[:houses]...)
					if err := s.Read(bytes.NewReader(log), nil); err != nil {
						b.Fatal(err)
					}
					s.End()
					if s.Judged != 200_000 {
						b.Fatalf("%d of 200000 lines judged", s.Judged)
					}
				}
				b.ReportMetric(float64(b.N)/(cpuSeconds()-begun), "lines/cpu-s")
			})
		}
	}
}
