//go:build !race

package proxy

import (
	"bufio"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/unit"
	"github.com/chatshipper/gateway/internal/upstream"
)

// corridor walks a parsed request through every phase, with a ready answer in
// the place of the upstream call.
func corridor(g *Gateway, ctx *fasthttp.RequestCtx, fields []upstream.Field) {
	x := g.begin(ctx)
	defer g.observe(x)
	if x.understand() && !x.webhook() &&
		x.identify() && x.limit() && x.permit() && x.authenticate() && x.guard() {
		x.head = x.appendHead(x.head[:0], len(ctx.Request.Body()))
		x.answer.Status, x.outcome, x.status = 200, answered, 200
		x.answer.Fields = append(x.answer.Fields[:0], fields...)
		body := ctx.Response.SwapBody(nil)[:0]
		body = append(body, `[{"id":"65aa"}]`...)
		x.answer.Body = body
	}
	x.normalise()
	x.settle()
}

func parsed(tb testing.TB, request string) *fasthttp.RequestCtx {
	tb.Helper()
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.DisableNormalizing()
	ctx.Response.Header.DisableNormalizing()
	if err := ctx.Request.Read(bufio.NewReader(strings.NewReader(request))); err != nil {
		tb.Fatal(err)
	}
	return ctx
}

func answerFields() []upstream.Field {
	return []upstream.Field{
		{Name: []byte("Content-Type"), Value: []byte("application/json")},
		{Name: []byte("X-Total-Count"), Value: []byte("1")},
		{Name: []byte("Connection"), Value: []byte("keep-alive")},
	}
}

const plainGet = "GET /v2/users?limit=10 HTTP/1.1\r\nHost: edge.example\r\nAuthorization: Bearer t\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"

func TestAdmittedGetAllocatesNothing(t *testing.T) {
	g := start(t, newRecorder(t, ok), unlimited)
	ctx, fields := parsed(t, plainGet), answerFields()
	if n := testing.AllocsPerRun(1000, func() {
		ctx.Response.Reset()
		ctx.Response.Header.DisableNormalizing()
		corridor(g.Gateway, ctx, fields)
	}); n != 0 {
		t.Errorf("%v allocations for each admitted GET, want none", n)
	}
	if ctx.Response.StatusCode() != 200 || len(ctx.Response.Header.Peek("X-RateLimit-Limit")) == 0 {
		t.Fatalf("not the admitted path: %d", ctx.Response.StatusCode())
	}
}

func TestRefusedGetAllocatesNothing(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { c.Limits.PerIP.Window = 1 << 40 })
	ctx, fields := parsed(t, plainGet), answerFields()
	run := func() {
		ctx.Response.Reset()
		ctx.Response.Header.DisableNormalizing()
		corridor(g.Gateway, ctx, fields)
	}
	for range 21 {
		run()
	}
	if n := testing.AllocsPerRun(1000, run); n != 0 {
		t.Errorf("%v allocations for each refused GET, want none", n)
	}
	if ctx.Response.StatusCode() != 429 {
		t.Fatalf("not the refused path: %d", ctx.Response.StatusCode())
	}
}

// message is a bot's message that is admitted again and again: an agent's reply
// comes before each.
func message(tb testing.TB, g *running) func() {
	tb.Helper()
	body := `{"conversation":"` + conversation + `","type":"chat","text":"Your order left the depot","delay":1,"meta":{"a":1}}`
	ctx := parsed(tb, "POST /v2/messages HTTP/1.1\r\nHost: edge.example\r\nAuthorization: Bearer "+botToken+
		"\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
	where, fields := g.rules.Load().reader.Conversation([]byte(conversation)), answerFields()
	return func() {
		ctx.Response.Reset()
		ctx.Response.Header.DisableNormalizing()
		now := g.clock.now()
		g.guard.Reply(where, digest.ID{}, now, now)
		corridor(g.Gateway, ctx, fields)
		if ctx.Response.StatusCode() != 200 {
			tb.Fatalf("not the admitted path: %d %s", ctx.Response.StatusCode(), ctx.Response.Body())
		}
	}
}

func TestAdmittedMessageAllocatesAtMostTwice(t *testing.T) {
	g := start(t, newRecorder(t, ok), func(c *Config) { unlimited(c); c.LoopGuard.Identical.Messages = 10000 })
	if n := testing.AllocsPerRun(1000, message(t, g)); n > 2 {
		t.Errorf("%v allocations for each admitted message, at most 2 are promised", n)
	}
}

func BenchmarkCorridorMessage(b *testing.B) {
	g := start(b, newRecorder(b, ok), func(c *Config) {
		unlimited(c)
		c.LoopGuard.Identical.Mode, c.Limits.PerIP.Mode, c.Limits.PerKey.Mode = unit.Off, unit.Off, unit.Off
	})
	run := message(b, g)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}

func BenchmarkCorridorGet(b *testing.B) {
	g := start(b, newRecorder(b, ok), unlimited)
	ctx, fields := parsed(b, plainGet), answerFields()
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		ctx.Response.Header.DisableNormalizing()
		corridor(g.Gateway, ctx, fields)
	}
}
