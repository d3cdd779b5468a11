package e2e

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// proxySide is a proxy with a recorder of its own behind it.
type proxySide struct {
	address  string
	recorder *recorder
	forget   func() // closes the connections to the upstream that are idle
}

// wireExchange is what one request came to: what arrived upstream and what the client
// was given.
type wireExchange struct {
	arrived []wireMessage
	interim []wireMessage // answers of 1xx
	answer  wireMessage
}

// TestEveryDifferenceFromGosReverseProxyIsKnown sends the same bytes through the
// gateway and through httputil.ReverseProxy. What arrives upstream and what comes
// back must be the same, but for the differences of docs/wire-differences.md, each of
// which must be seen at least once.
func TestEveryDifferenceFromGosReverseProxyIsKnown(t *testing.T) {
	t.Parallel()
	cases := wireCases()
	ours := proxySide{recorder: startRecorder(t, cases), forget: func() {}} // it looks at a connection before it takes it
	ours.address = startGateway(t, "http://"+ours.recorder.address, setup{rest: manyRequests + "log: {access: false}\n"}).address
	theirs := startReverseProxy(t, startRecorder(t, cases))
	seen := make([]int, len(knownDifferences))
	for i := range cases {
		c := &cases[i]
		for _, d := range differences(ours.run(c), theirs.run(c)) {
			if k := known(c, d); k >= 0 {
				seen[k]++
			} else {
				t.Errorf("%s\n%.400q\ndiffers in %s", c.name, c.request, d)
			}
		}
	}
	if late := ours.recorder.strays(); len(late) > 0 {
		t.Errorf("the upstream was sent %d requests that belong to no case: %.200q", len(late), late[0].start)
	}
	total := 0
	for k, n := range seen {
		total += n
		if n == 0 {
			t.Errorf("the difference %q was not seen", knownDifferences[k].what)
		}
	}
	t.Logf("%d exchanges, %d differences of %d known kinds", len(cases), total, len(seen))
}

// startReverseProxy is Go's proxy as its documentation recommends it.
func startReverseProxy(t *testing.T, r *recorder) proxySide {
	t.Helper()
	upstream := &url.URL{Scheme: "http", Host: r.address}
	silent := log.New(io.Discard, "", 0)
	log.SetOutput(io.Discard) // where the Transport complains of odd answers
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: 4 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.SetXForwarded()
		},
		Transport: transport,
		ErrorLog:  silent,
	})
	server.Config.ErrorLog = silent
	server.Start()
	t.Cleanup(server.Close)
	return proxySide{server.Listener.Addr().String(), r, transport.CloseIdleConnections}
}

// run sends the case's request on a connection of its own.
func (s *proxySide) run(c *wireCase) (x wireExchange) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		x.answer.broken = err.Error()
		return x
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, strings.ReplaceAll(c.request, "PROXY", s.address)) // who refuses need not read it all
	reader := bufio.NewReader(conn)
	for {
		m, err := readWire(reader, true, c.method())
		if err != nil {
			m.broken = "no answer"
		}
		if status := m.status(); status < 100 || status > 199 || status == 101 {
			x.answer = m
			break
		}
		x.interim = append(x.interim, m)
	}
	if n := reader.Buffered(); n > 0 {
		x.answer.broken = fmt.Sprintf("%d bytes too many", n)
	}
	x.arrived = s.recorder.arrivals(c)
	s.recorder.settled(c)
	s.forget()
	s.canonicalise(&x)
	return x
}

var (
	requestID = regexp.MustCompile(`^[0-9a-f]{32}$`)
	number    = regexp.MustCompile(`\d+`)
)

// canonicalise takes away what differs from run to run: addresses, dates, request
// ids and what is left of a limit.
func (s *proxySide) canonicalise(x *wireExchange) {
	for _, list := range [][]wireMessage{x.arrived, x.interim, {x.answer}} {
		for i := range list {
			for j, line := range list[i].fields {
				line = strings.NewReplacer(s.address, "PROXY", s.recorder.address, "UPSTREAM").Replace(line)
				name, value, _ := strings.Cut(line, ":")
				switch value = strings.Trim(value, " \t"); {
				case strings.EqualFold(name, "Date") && value != upstreamDate:
					line = "Date: now"
				case requestID.MatchString(value):
					line = name + ": id"
				case strings.Contains(strings.ToLower(name), "ratelimit"):
					line = name + ": " + number.ReplaceAllString(value, "N")
				}
				list[i].fields[j] = line
			}
		}
	}
}

// differences says in what two exchanges differ, one line for each.
func differences(ours, theirs wireExchange) []string {
	var d diff
	if len(ours.arrived) != len(theirs.arrived) || len(ours.arrived) == 0 {
		d.add("outcome", comeTo(ours), comeTo(theirs))
		return d
	}
	for i := range ours.arrived {
		d.message("request", &ours.arrived[i], &theirs.arrived[i])
	}
	d.add("interim answers", fmt.Sprint(starts(ours.interim)), fmt.Sprint(starts(theirs.interim)))
	if ours.answer.status() != theirs.answer.status() {
		d.add("answer", verdict(&ours.answer), verdict(&theirs.answer)) // one of them is the proxy's own
		return d
	}
	d.message("answer", &ours.answer, &theirs.answer)
	return d
}

func comeTo(x wireExchange) string {
	return fmt.Sprintf("%d arrive, %s", len(x.arrived), verdict(&x.answer))
}

func verdict(answer *wireMessage) string {
	if answer.broken != "" {
		return fmt.Sprintf("%d, %s", answer.status(), answer.broken)
	}
	return strconv.Itoa(answer.status())
}

func starts(list []wireMessage) (lines []string) {
	for _, m := range list {
		lines = append(lines, m.start)
	}
	return lines
}

// diff collects differences.
type diff []string

func (d *diff) add(what, ours, theirs string) {
	if ours != theirs {
		*d = append(*d, fmt.Sprintf("%s: ours %.300q, Go's %.300q", what, ours, theirs))
	}
}

func (d *diff) message(what string, ours, theirs *wireMessage) {
	d.add(what+" line", ours.start, theirs.start)
	d.add(what+" framing", ours.framing, theirs.framing)
	d.add(what+" body", ours.body, theirs.body)
	d.add(what+" trailers", strings.Join(ours.trailers, "; "), strings.Join(theirs.trailers, "; "))
	d.add(what+" end", ours.broken, theirs.broken)
	spelledOurs, spelledTheirs := ours.names(), theirs.names()
	names := map[string]bool{}
	for n := range spelledOurs {
		names[n] = true
	}
	for n := range spelledTheirs {
		names[n] = true
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		if framingFields[n] && (ours.framing != "none" || theirs.framing != "none") {
			continue // compared as framing and body
		}
		a, b := ours.values(n), theirs.values(n)
		d.add(what+" field "+n, fmt.Sprintf("%q", a), fmt.Sprintf("%q", b))
		if len(a) > 0 && len(b) > 0 {
			d.add(what+" field name "+n, spelledOurs[n], spelledTheirs[n])
		}
	}
}

var framingFields = map[string]bool{"transfer-encoding": true, "content-length": true}
