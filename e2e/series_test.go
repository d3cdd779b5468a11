package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"
)

// stranger makes requests of any kind, the same ones for the same seed.
type stranger struct{ *rand.Rand }

func (s stranger) pick(list ...string) string { return list[s.IntN(len(list))] }

// word is 1 to 12 letters.
func (s stranger) word() string {
	b := make([]byte, 1+s.IntN(12))
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[s.IntN(52)]
	}
	return string(b)
}

func (s stranger) method() string {
	return s.pick("GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE", "PUT", "TRACE", "CONNECT", "PURGE", "get", strings.ToUpper(s.word()))
}

func (s stranger) path() string {
	return s.pick("/v2/messages", "/v2/Messages/", "/v2/conversations", "/v2/conversations/"+s.word()+"/messages", "/v2//messages",
		"/v2/%6dessages", "/v2/auth/token", "/_gateway/webhook", "/_gateway/webhook?type=subscribe&challenge="+s.word(), "/v2/users",
		"/v2/users/"+s.word(), "/"+s.word()+"/"+s.word()+"?"+s.word()+"="+s.word(), "/v"+fmt.Sprint(s.IntN(99)), "/", "*", "/%zz", "/"+strings.Repeat(s.word(), 900))
}

func (s stranger) body() string {
	switch s.IntN(6) {
	case 0:
		return fmt.Sprintf(`{"conversation":%q,"text":%q}`, conversation(s.IntN(1000)), s.word())
	case 1:
		return fmt.Sprintf(`[{"conversation":%q,%q:%q}]`, conversation(s.IntN(1000)), s.word(), s.word())
	case 2:
		return `{"text":"cut`
	case 3:
		return strings.Repeat(s.word(), 50)
	}
	return ""
}

// request is the bytes of a whole request, after which the connection closes.
func (s stranger) request(tokens []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.%d\r\nHost: %s.example\r\nConnection: close\r\nUser-Agent: %s\r\nX-Forwarded-For: 10.%d.%d.9\r\n",
		s.method(), s.path(), s.IntN(3), s.word(), s.word(), s.IntN(256), s.IntN(256))
	b.WriteString(s.pick("", "", "Authorization: Bearer "+s.pick(tokens...)+"\r\n", "Authorization: Bearer "+s.word()+"\r\n", "Authorization: Basic "+s.word()+"\r\n"))
	b.WriteString(s.pick("", "", s.word()+": "+s.word()+"\r\n", "Expect: "+s.word()+"\r\n", "X-Request-Id: "+s.word()+"\r\n", "Transfer-Encoding: gzip\r\n", "a b: c\r\n"))
	b.WriteString(s.pick("Content-Type: application/json\r\n", "Content-Type: text/"+s.word()+"\r\n", "Content-Encoding: br\r\n", ""))
	body := s.body()
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

// shout sends bytes and waits for the end of whatever comes back.
func shout(address, request string) error {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, request) // a server may refuse before it has read all
	_, _ = io.Copy(io.Discard, conn)     // or cut the connection
	return nil
}

func TestNoClientCanAddASeries(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{listen: "trusted_proxies: [127.0.0.0/8]"})
	tokens := []string{s.tokens["bot"], s.tokens["agent"], s.tokens["admin"], "none"}
	before := g.metrics(t)
	seed := rand.Uint64()
	random := stranger{rand.New(rand.NewPCG(seed, 0))}
	for range 3000 {
		if err := shout(g.address, random.request(tokens)); err != nil {
			t.Fatal(err)
		}
	}
	after := g.metrics(t)
	if got := after.sum("gateway_requests_total"); got < 2500 {
		t.Errorf("only %v requests were counted", got)
	}
	for series := range after {
		if _, known := before[series]; !known && strings.HasPrefix(series, "gateway_") {
			t.Errorf("seed %d: a stranger made the series %s", seed, series)
		}
	}
	if len(after) != len(before) {
		t.Errorf("seed %d: %d series became %d", seed, len(before), len(after))
	}
}
