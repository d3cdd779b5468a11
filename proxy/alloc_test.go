//go:build !race

package proxy

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/downstream"
	"github.com/chatshipper/gateway/internal/upstream"
	"github.com/chatshipper/gateway/loopguard"
)

// rehearsal is a gateway with one client connection in memory: the server half
// and every phase run as they do in production, with a ready answer in the place
// of the upstream call.
type rehearsal struct {
	*Gateway
	fields    []upstream.Field
	x         *exchange
	request   []byte
	turn      chan bool
	forwarded []byte // the head for the upstream
	status    []byte // the status line of the last answer, and a bit of what follows
}

var rehearsed = downstream.Config{
	MaxHead: 16 << 10, HeaderTimeout: time.Hour, ReadTimeout: time.Hour, IdleTimeout: time.Hour, WriteTimeout: time.Hour,
}

func rehearse(tb testing.TB, g *running, request string) *rehearsal {
	tb.Helper()
	r := &rehearsal{Gateway: g.Gateway, request: []byte(request), turn: make(chan bool), fields: []upstream.Field{
		{Name: []byte("Content-Type"), Value: []byte("application/json")},
		{Name: []byte("X-Total-Count"), Value: []byte("1")},
		{Name: []byte("Connection"), Value: []byte("keep-alive")},
	}}
	server := downstream.New(rehearsed, r)
	ended := make(chan bool)
	go func() {
		server.ServeConn(r)
		close(ended)
	}()
	tb.Cleanup(func() {
		close(r.turn)
		<-ended
	})
	return r
}

// run sends the request once and waits for the answer.
func (r *rehearsal) run() {
	r.turn <- true
	<-r.turn
}

func (r *rehearsal) Understand(c *downstream.Conn) downstream.Exchange {
	r.x = r.Gateway.Understand(c).(*exchange)
	return r
}

func (r *rehearsal) Handle() {
	r.walk()
	r.x.send()
	r.x.release()
}

func (r *rehearsal) walk() {
	x := r.x
	defer x.observe()
	if x.understood && !x.webhook() &&
		x.identify() && x.limit() && x.shed() && x.permit() && x.authenticate() && x.guard() && x.receive(1<<20) {
		x.head = x.appendHead(x.head[:0], int64(len(x.body)))
		r.forwarded = append(r.forwarded[:0], x.head...)
		x.answer.Reset()
		x.answer.Status, x.outcome, x.status = 200, answered, 200
		x.answer.Fields = append(x.answer.Fields[:0], r.fields...)
		x.answer.Body = append(x.answer.Body[:0], `[{"id":"65aa"}]`...)
		x.answer.ContentLength = int64(len(x.answer.Body))
	}
	x.normalise()
	x.settle()
}

// The client's end of the connection.
func (r *rehearsal) Read(p []byte) (int, error) {
	if _, on := <-r.turn; !on {
		return 0, io.EOF
	}
	return copy(p, r.request), nil
}

func (r *rehearsal) Write(p []byte) (int, error) {
	r.status = append(r.status[:0], p...)
	r.turn <- true
	return len(p), nil
}

func (r *rehearsal) Close() error                     { return nil }
func (r *rehearsal) LocalAddr() net.Addr              { return nil }
func (r *rehearsal) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (r *rehearsal) SetDeadline(time.Time) error      { return nil }
func (r *rehearsal) SetReadDeadline(time.Time) error  { return nil }
func (r *rehearsal) SetWriteDeadline(time.Time) error { return nil }

func TestAdmittedGetAllocatesNothing(t *testing.T) {
	r := rehearse(t, start(t, newRecorder(t, ok), unlimited), plainGet)
	if n := testing.AllocsPerRun(1000, r.run); n != 0 {
		t.Errorf("%v allocations for each admitted GET, want none", n)
	}
	if !bytes.HasPrefix(r.status, []byte("HTTP/1.1 200 ")) || !bytes.Contains(r.status, []byte("X-RateLimit-Limit: ")) {
		t.Fatalf("not the admitted path: %s", r.status)
	}
}

// Neither does a tracer cost anything that samples none of the requests, whether
// the trace begins here, is a stranger's, or comes without a mark from a trusted
// proxy.
func TestATraceThatIsNotSampledAllocatesNothing(t *testing.T) {
	f := func(sent, forwarded string, change func(*Config)) {
		t.Helper()
		request := strings.Replace(plainGet, "\r\n\r\n", "\r\n"+sent+"\r\n", 1)
		r := rehearse(t, startTraced(t, newRecorder(t, ok), change, tracing(t, 0)), request)
		if n := testing.AllocsPerRun(1000, r.run); n != 0 {
			t.Errorf("%v allocations for each GET with %q, want none", n, sent)
		}
		if !bytes.HasPrefix(r.status, []byte("HTTP/1.1 200 ")) || !bytes.Contains(r.forwarded, []byte(forwarded)) {
			t.Fatalf("not the path that was meant: %s", r.forwarded)
		}
	}
	f("", "traceparent: 00-", unlimited)
	f("Traceparent: "+theirs+"\r\nTracestate: a=1\r\n", "Traceparent: "+theirs+"\r\nTracestate: a=1\r\n", unlimited)
	f("Traceparent: "+unmarked+"\r\n", "Traceparent: "+unmarked+"\r\n", func(c *Config) { unlimited(c); trustLoopback(c) })
}

func TestRefusedGetAllocatesNothing(t *testing.T) {
	r := rehearse(t, start(t, newRecorder(t, ok), func(c *Config) { c.Limits.PerIP.Window = 1 << 40 }), plainGet)
	for range 21 {
		r.run()
	}
	if n := testing.AllocsPerRun(1000, r.run); n != 0 {
		t.Errorf("%v allocations for each refused GET, want none", n)
	}
	if !bytes.HasPrefix(r.status, []byte("HTTP/1.1 429 ")) {
		t.Fatalf("not the refused path: %s", r.status)
	}
}

// messageRequest is a bot's request that creates messages.
func messageRequest(body string) string {
	return "POST /v2/messages HTTP/1.1\r\nHost: edge.example\r\nAuthorization: Bearer " + botToken +
		"\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// message is a bot's message that is admitted again and again: an agent's reply
// comes before each.
func message(tb testing.TB, g *running) func() {
	tb.Helper()
	body := `{"conversation":"` + conversation + `","type":"chat","text":"Your order left the depot","delay":1,"meta":{"a":1}}`
	r := rehearse(tb, g, messageRequest(body))
	where := g.rules.Load().reader.Conversation([]byte(conversation))
	return func() {
		now := g.clock.now()
		g.guard.Reply(now, loopguard.Reply{Conversation: where, At: now})
		r.run()
		if !bytes.HasPrefix(r.status, []byte("HTTP/1.1 200 ")) {
			tb.Fatalf("not the admitted path: %s", r.status)
		}
	}
}

func TestAdmittedMessageAllocatesAtMostTwice(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { unlimited(c); c.LoopGuard.Identical.Messages = 10000 })
	if n := testing.AllocsPerRun(1000, message(t, g)); n > 2 {
		t.Errorf("%v allocations for each admitted message, at most 2 are promised", n)
	}
}

// endless is the client's end of a connection that sends the next request as soon as it
// has its answer, as often as it is told.
type endless struct {
	*rehearsal
	left int
	next func(n int) // before the n-th from the end
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	e.next(e.left)
	e.left--
	return copy(p, e.request), nil
}

func (e *endless) Write(p []byte) (int, error) {
	e.status = append(e.status[:0], p...)
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 200 ")) {
		panic("not the admitted path: " + string(p))
	}
	return len(p), nil
}

// corridor times what an admitted request costs, but for its two sockets: its head and
// body are read, every phase runs, the limits' included, and both heads are written.
func corridor(b *testing.B, request string, next func(request []byte, n int)) {
	b.Helper()
	g := start(b, newRecorder(b, ok), func(c *Config) {
		c.Limits.PerIP.Requests, c.Limits.PerIP.Window = 100_000, 50*time.Millisecond
		c.Limits.PerKey.Requests, c.Limits.PerKey.Window = 100_000, 50*time.Millisecond
	})
	r := rehearse(b, g, request)
	server := downstream.New(rehearsed, r)
	serve := func(from, to int) {
		server.ServeConn(&endless{r, to - from, func(n int) { next(r.request, from+n) }})
	}
	serve(0, 1000) // tables and buffers have their size
	b.ReportAllocs()
	b.ResetTimer()
	serve(1000, 1000+b.N)
}

func BenchmarkCorridorGet(b *testing.B) {
	corridor(b, plainGet, func([]byte, int) {})
}

// BenchmarkCorridorMessage: 200 bytes, 16 messages to a conversation, each with a text of
// its own.
func BenchmarkCorridorMessage(b *testing.B) {
	body := `{"type":"chat","role":"agent","touchpoint":"whatsapp","conversation":"` + conversation +
		`","delay":1500,"text":"your order left the depot this morning and will be with you before noon, we hope 000000000000"}`
	request := messageRequest(body)
	where, text := strings.Index(request, conversation), len(request)-len(`000000000000"}`)
	corridor(b, request, func(request []byte, n int) {
		hexInto(request[where:where+24], n/16)
		hexInto(request[text:text+12], n)
	})
}

// hexInto writes n in hex digits, with zeros before them.
func hexInto(dst []byte, n int) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
}
