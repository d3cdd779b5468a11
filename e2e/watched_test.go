package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// watched is a sandbox behind two gateways, with a Prometheus that scrapes both
// under load. One counts in Redis; the other speaks TLS, has little room,
// refuses nothing and writes every other line of its log.
type watched struct {
	sandbox       *sandbox
	redis         *redisServer
	collector     *collector // of the spans of plain
	plain, secure *gateway
	client        *http.Client // of the one that speaks TLS
	prometheus    *prometheus
	board         board
	since         time.Time // from when on every series has several values
}

const (
	plainSetup  = "webhook: {secret: " + webhookSecret + "}\nstore: {kind: redis, redis: {addresses: [%q], key_secret: a secret of the tests, timeout: 5s}}\ntracing: {otlp_endpoint: %q, sample_ratio: 1}\n"
	secureSetup = "limits: {per_ip: {mode: shadow, window: 1m}, per_key: {mode: shadow, window: 1m}}\nstore: {memory: {max_bytes: 1MiB}}\nlog: {sample: {one_in: 2}}\n"
)

func startWatched(t *testing.T) *watched {
	t.Helper()
	certFile, keyFile, authority, _ := identityOf(t)
	w := &watched{sandbox: startSandbox(t), redis: startRedis(t), collector: startCollector(t), board: readBoard(t)}
	health := "health_check: {path: /sandbox/stats, interval: 200ms}"
	w.plain = startGateway(t, w.sandbox.url(), setup{listen: "max_connections_per_ip: 30", upstream: health, rest: fmt.Sprintf(plainSetup, w.redis.address, w.collector.url)})
	w.secure = startGateway(t, w.sandbox.url(), setup{
		listen:   "shutdown_delay: 1500ms, tls: {cert_file: " + certFile + ", key_file: " + keyFile + "}",
		upstream: health, rest: secureSetup,
	})
	w.client = &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority}, MaxIdleConnsPerHost: 8}}
	t.Cleanup(w.client.CloseIdleConnections)
	w.prometheus = startPrometheus(t, w.plain.admin, w.secure.admin)
	w.load(t)
	eventually(t, "Prometheus has seen both gateways for a while", func() error {
		lines, err := w.prometheus.draw(`count(count_over_time(gateway_build_info[2s]) >= 6) == 2`, time.Now(), time.Now())
		if err == nil && len(lines) == 0 {
			err = fmt.Errorf("not yet")
		}
		return err
	})
	w.since = time.Now()
	return w
}

// load sends about 50 requests a second until the test ends, none of which is
// limited. They may fail: the upstream does, now and then.
func (w *watched) load(t *testing.T) {
	t.Helper()
	tokens := []string{w.sandbox.tokens["agent"], w.sandbox.tokens["admin"], w.sandbox.tokens["second agent"], "nobody's", ""}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			_, _ = try(w.plain.address, call{path: "/v2/users", token: tokens[i%len(tokens)], from: source(i % 40)})
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
}

// fault is something that happens, and where the dashboard shows it. A new store
// or rule adds its own to the list.
type fault struct {
	name  string
	make  func(t *testing.T)
	shows []sight
}

func (w *watched) faults() []fault {
	return []fault{
		{"a client that asks too often", w.askTooOften, []sight{
			{"Refused by rule", "per_key"},
			{"Refused by rule", "per_ip"},
			{"Near the limit", "per_key"},
			{"Share refused by rule", "per_ip"},
			{"Answers by status", "limited (429)"},
			{"Own answers by code", "429"},
			{"Refused", ""},
		}},
		{"a client with too many connections", w.crowd, []sight{{"Connections refused by limit", "max_connections_per_ip"}}},
		{"a looping bot", w.loop, []sight{
			{"Loops detected by rule", "identical"},
			{"Loops detected by rule", "consecutive"},
			{"Loops stopped", ""},
			{"Messages refused by rule", "identical"},
			{"Messages near the limit", "consecutive"},
		}},
		{"replies", w.answerTheBot, []sight{
			{"Streaks reset by replies", "agent"}, {"Streaks reset by replies", "webhook"}, {"Webhook events", "reply"}, {"Webhook events", "bad_signature"},
		}},
		{"bodies that can't be judged", w.sendRubbish, []sight{
			{"Messages not inspected", "invalid_json"}, {"Messages not inspected", "content_type"}, {"Own answers by code", "415"},
		}},
		{"more keys than there is room for", w.flood, []sight{
			{"Live keys forgotten", "per_key"}, {"Log lines left out", ""}, {"Would be refused, in shadow mode", "per_ip"}, {"Room in use", "per_key"}, {"Memory of the counts", "fullest instance"},
		}},
		{"limits and faults of the upstream", w.spoil, []sight{
			{"429 of the upstream", ""},
			{"Answers by status", "upstream's fault"},
			{"Upstream errors by reason", "invalid"},
			{"Answers of the upstream by code", "503"},
			{"Where the time goes", "upstream, p99"},
			{"Retries", "sent again"},
		}},
		{"more requests at once than may be in flight", w.crowdOut, []sight{{"Load shed", ""}}},
		{"a collector that wants no spans", func(*testing.T) { w.collector.refuses.Store(true) }, []sight{{"Spans", "exported"}, {"Spans", "refused"}}},
		{"a configuration with a mistake, then a good one", w.misconfigure, []sight{{"Configuration", ""}}},
		{"an instance that restarts", w.restart, []sight{
			{"Draining", ""}, {"Instances", ""}, {"Youngest runs for", ""},
		}},
		{"Redis killed, and back", w.killRedis, []sight{
			{"State of the limits", ""},
			{"Shared store by instance", w.plain.admin},
			{"Store errors by operation", "limit"},
		}},
		{"the upstream killed, and back", w.killUpstream, []sight{
			{"State of the upstream", ""},
			{"Upstream by instance", w.plain.admin},
			{"Upstream errors by reason", "connect"},
			{"Availability", ""},
			{"Answers by status", "gateway's fault"},
			{"Own answers by code", "502"},
			{"Failing now", "gateway"},
			{"Addresses passed over", "open"},
		}},
	}
}

func (w *watched) askTooOften(t *testing.T) {
	for i := range 30 {
		w.plain.do(t, call{path: "/v2/users", token: w.sandbox.tokens["third bot"], from: source(100 + i)})
	}
	for range 30 {
		w.plain.do(t, call{path: "/v2/users", from: "127.7.7.7"})
	}
}

// crowd opens 35 connections, of which 30 may be open.
func (w *watched) crowd(t *testing.T) {
	var last net.Conn
	for range 35 {
		dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 7, 7, 10)}}
		conn, err := dialer.DialContext(t.Context(), "tcp", w.plain.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		last = conn
	}
	if a, err := readResponse(readUntilSilent(last, scrapeEvery)); err != nil || a.status != 503 {
		t.Errorf("the 35th connection got %v, %v, want 503", a, err)
	}
}

func (w *watched) loop(t *testing.T) {
	same, other := w.sandbox.newConversation(t, 1), w.sandbox.newConversation(t, 2)
	for i, message := range numbered(0, 22) {
		w.plain.do(t, routes[0].send(w.sandbox.tokens["bot"], same, text("Hello!")))
		c := routes[i%2].send(w.sandbox.tokens["second bot"], other, message)
		c.from = "127.7.7.8"
		w.plain.do(t, c)
		time.Sleep(80 * time.Millisecond) // fewer than the 20 requests a second that an address has
	}
}

func (w *watched) answerTheBot(t *testing.T) {
	thread := w.sandbox.newConversation(t, 3)
	say := func(who, what string) {
		c := routes[0].send(w.sandbox.tokens[who], thread, text(what))
		c.from = "127.7.7.9"
		wantStatus(t, w.plain.do(t, c), 201)
	}
	say("bot", "Anybody there?")
	say("agent", "Yes.")
	say("bot", "Then listen.")
	time.Sleep(5 * time.Millisecond) // events have whole milliseconds
	body := event(thread, `"role":"contact","text":"I do"`, time.Now())
	wantStatus(t, w.plain.do(t, delivery(body, webhookSecret)), 200)
	wantStatus(t, w.plain.do(t, delivery(body, "a guess")), 401)
}

func (w *watched) sendRubbish(t *testing.T) {
	bot := w.sandbox.tokens["third bot"]
	wantStatus(t, w.plain.do(t, call{path: "/v2/messages", token: bot, body: `{"text":`}), 400)
	wantStatus(t, w.plain.do(t, call{path: "/v2/messages", token: bot, body: `text=hello`, header: map[string]string{"Content-Type": "text/plain"}}), 415)
}

// flood sends 4,000 keys to the gateway that has room for fewer.
func (w *watched) flood(t *testing.T) {
	var senders sync.WaitGroup
	for s := range 4 {
		senders.Go(func() {
			for i := range 1000 {
				w.ask(t, fmt.Sprintf("key-%d-%d", s, i))
			}
		})
	}
	senders.Wait()
}

// ask sends a request to the gateway that speaks TLS.
func (w *watched) ask(t *testing.T, token string) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+w.secure.address+"/v2/users", http.NoBody)
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if _, err := exchange(w.client, req); err != nil {
		t.Errorf("the gateway that speaks TLS does not answer: %v", err)
	}
}

func (w *watched) spoil(t *testing.T) {
	for _, f := range []map[string]any{
		{"path": "/v2/users", "status": 429, "times": 5},
		{"path": "/v2/users", "status": 503, "times": 5},
		{"path": "/v2/users", "raw": "garbage\r\n\r\n", "times": 5},
		{"path": "/v2/users", "delay": "300ms", "times": 5},
		{"path": "/v2/users", "close": true, "times": 5},
	} {
		w.sandbox.fault(t, f)
		time.Sleep(500 * time.Millisecond) // the load meets it
	}
}

// crowdOut asks for more at once than a reload has just allowed.
func (w *watched) crowdOut(t *testing.T) {
	good, err := os.ReadFile(w.plain.config)
	if err != nil {
		t.Fatal(err)
	}
	w.reload(t, bytes.Replace(good, []byte("listen: {"), []byte("listen: {max_requests_in_flight: 1, "), 1), 1)
	eventually(t, "the new limit is in force", func() error {
		if got := w.plain.metrics(t).value(t, "gateway_requests_in_flight_capacity"); got != 1 {
			return fmt.Errorf("it is %v", got)
		}
		return nil
	})
	w.sandbox.fault(t, map[string]any{"path": "/v2/users", "delay": "300ms", "times": 3})
	w.plain.together(t, 10, func(i int) call { return call{path: "/v2/users", from: source(60 + i)} })
	w.reload(t, good, 1)
}

func (w *watched) misconfigure(t *testing.T) {
	good, err := os.ReadFile(w.plain.config)
	if err != nil {
		t.Fatal(err)
	}
	w.reload(t, []byte("limitz: {}\n"), 0)
	time.Sleep(4 * scrapeEvery)
	w.reload(t, good, 1)
}

func (w *watched) reload(t *testing.T, content []byte, state float64) {
	t.Helper()
	if err := os.WriteFile(w.plain.config, content, 0o600); err != nil {
		t.Fatal(err)
	}
	w.plain.signal(t, syscall.SIGHUP)
	w.plain.reloaded(t, state)
}

func (w *watched) restart(t *testing.T) {
	w.secure.signal(t, syscall.SIGTERM)
	w.secure.wait(t)
	time.Sleep(2 * scrapeEvery)
	w.secure.process = launch(t, "run", "--config", w.secure.config)
	w.secure.awaitReady(t)
}

// killRedis lets it be away for as long as it takes to be seen. The load goes on.
func (w *watched) killRedis(t *testing.T) {
	w.redis.kill()
	w.plain.degraded(t, 1)
	time.Sleep(2 * scrapeEvery)
	w.redis.run(t)
	w.plain.degraded(t, 0)
}

func (w *watched) killUpstream(t *testing.T) {
	w.sandbox.signal(t, syscall.SIGKILL)
	w.sandbox.wait(t)
	time.Sleep(1500 * time.Millisecond)
	w.sandbox.start(t)
}
