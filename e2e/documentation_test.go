package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests named after paragraphs of ChatShipper's documentation promise one
// thing: a client that follows it cannot tell the gateway from the API. Each case
// is a conversation with the API, held twice: with a sandbox, and with a gateway
// in front of another sandbox.

// documented are the ready-made ids of the sandbox that the cases speak of.
var documented = map[string]string{
	"organization": "65aa0011223344556677aaaa", "contact": "65aa0c00aabbccddeeff0001",
	"conversation": "65aa0e00aabbccddeeff0001", "nowhere": "65aa00112233445566770000",
	"bot": "65aa001122334455667700c1", "second": "65aa001122334455667700c2", "third": "65aa001122334455667700c3",
	"agent": "65aa001122334455667700b1", "admin": "65aa001122334455667700a1",
	"thread": "/v2/conversations/65aa0e00aabbccddeeff0001/messages",
}

// step is one request and what the documentation promises for it. <name> stands
// for one of the documented ids, or for what an earlier step kept.
type step struct {
	ask  string // "bot GET /v2/users"; nobody sends no token, second-bot is the sandbox's "second bot"
	body string
	want int
	says string // pieces of the body, in this order, with … between them
	keep string // "name", an id of the answer, or "name=member": what later steps call <name>

	names  *string // of the resources in a list, one after the other
	header map[string]string
	code   string // of the gateway's own refusal, where it speaks before the API can
}

// side is one of the two partners: the API itself, or the gateway before it.
type side struct {
	address string
	api     *sandbox
	kept    map[string]string
	known   map[string]string // id → its number in the order of appearance
}

// paragraph is the pair for one paragraph of the documentation.
type paragraph struct {
	t        *testing.T
	raw, via *side
}

// roomy limits refuse nothing that a test of the documentation sends.
const roomy = `
limits:
  per_ip: {requests: 100000}
  per_key: {requests: 100000}
loopguard:
  identical: {messages: 10000}
  consecutive: {messages: 10000}
methods: {exceptions: [{method: PUT, path: "/v2/messages/{id}"}]}
`

// newParagraph returns the function that runs one case from the first data.
func newParagraph(t *testing.T) func(name string, steps ...step) {
	t.Helper()
	t.Parallel()
	plain, behind := startSandbox(t), startSandbox(t)
	g := startGateway(t, behind.url(), setup{rest: roomy})
	return func(name string, steps ...step) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			p := paragraph{t, newSide(t, plain.address, plain), newSide(t, g.address, behind)}
			for i := range steps {
				p.compare(&steps[i])
			}
			p.compareStats()
		})
	}
}

func newSide(t *testing.T, address string, api *sandbox) *side {
	t.Helper()
	wantStatus(t, api.direct(t, call{method: "POST", path: "/sandbox/reset"}), 204)
	return &side{address, api, maps.Clone(documented), map[string]string{}}
}

// compare takes one step with both partners.
func (p *paragraph) compare(s *step) {
	p.t.Helper()
	raw, via := p.raw.take(p.t, s), p.via.take(p.t, s)
	if raw.status != s.want || via.status != s.want {
		p.t.Fatalf("%s: the API answers %s\nand the gateway %s\nwant %d", s.ask, raw, via, s.want)
	}
	if s.code != "" {
		wantOurError(p.t, via, s.want, s.code)
		return
	}
	same := func(what, got, want string) {
		p.t.Helper()
		if got != want {
			p.t.Errorf("%s: %s through the gateway is\n%.2000s\nand of the API\n%.2000s", s.ask, what, got, want)
		}
	}
	same("the body", p.via.canonical(string(via.body)), p.raw.canonical(string(raw.body)))
	for _, name := range []string{"Content-Type", "X-Total-Count", "Allow", "Www-Authenticate", "Link", "Location"} {
		same(name, p.via.canonicalHeader(via, name), p.raw.canonicalHeader(raw, name))
	}
	if via.header.Get("Content-Length") != "" && raw.header.Get("Content-Length") != "" {
		same("Content-Length", via.header.Get("Content-Length"), raw.header.Get("Content-Length"))
	}
	if via.status >= 400 && len(via.body) > 0 {
		wantJSONError(p.t, via, s.want)
	}
	p.wantPieces(s, string(via.body))
	p.wantNames(s, via)
	p.compareBytes(s, via)
	p.raw.remember(p.t, s, raw)
	p.via.remember(p.t, s, via)
}

// compareBytes fetches what the gateway showed from the API behind it: not a
// byte may differ.
func (p *paragraph) compareBytes(s *step, via answer) {
	p.t.Helper()
	if via.status != 200 || !strings.Contains(s.ask, " GET ") || strings.Contains(s.ask, "/sandbox/") {
		return
	}
	behind := &side{address: p.via.api.address, api: p.via.api, kept: p.via.kept, known: p.via.known}
	direct := behind.take(p.t, s)
	if string(direct.body) != string(via.body) {
		p.t.Errorf("%s: not byte-identical: through the gateway\n%.2000s\nand directly\n%.2000s", s.ask, via.body, direct.body)
	}
	if got, want := p.via.canonicalHeader(via, "Link"), behind.canonicalHeader(direct, "Link"); got != want {
		p.t.Errorf("%s: Link through the gateway %s, directly %s", s.ask, got, want)
	}
}

func (p *paragraph) wantPieces(s *step, body string) {
	p.t.Helper()
	rest := body
	for piece := range strings.SplitSeq(p.via.fill(s.says), "…") {
		_, after, found := strings.Cut(rest, strings.TrimSpace(piece))
		if !found {
			p.t.Errorf("%s: want %s (missing %s) in %s", s.ask, s.says, strings.TrimSpace(piece), lastBytes(body, 2000))
			return
		}
		rest = after
	}
}

func (p *paragraph) wantNames(s *step, a answer) {
	p.t.Helper()
	if s.names == nil {
		return
	}
	var list []struct{ Name string }
	if err := json.Unmarshal(a.body, &list); err != nil {
		p.t.Fatalf("%s: want a list: %v", s.ask, err)
	}
	found := ""
	for _, resource := range list {
		found += resource.Name
	}
	if found != *s.names {
		p.t.Errorf("%s: found %q, want %q", s.ask, found, *s.names)
	}
}

// compareStats checks that both APIs hold the same: nothing was created that was
// not asked for, nothing twice.
func (p *paragraph) compareStats() {
	p.t.Helper()
	created := func(s *side) string {
		o := s.api.direct(p.t, call{path: "/sandbox/stats"}).object(p.t)
		counts, _ := at(o, "messagesByConversation").(map[string]any)
		var all []string
		for id, n := range counts {
			all = append(all, s.canonical(fmt.Sprintf("%s: %v", id, n)))
		}
		slices.Sort(all)
		return fmt.Sprint(at(o, "messages"), all)
	}
	if len(p.raw.known) != len(p.via.known) {
		p.t.Errorf("%d resources were seen through the gateway, %d without it", len(p.via.known), len(p.raw.known))
	}
	if got, want := created(p.via), created(p.raw); got != want {
		p.t.Errorf("messages created through the gateway: %s, without it: %s", got, want)
	}
}

// take sends one step to one side.
func (s *side) take(t *testing.T, st *step) answer {
	t.Helper()
	who, request, _ := strings.Cut(s.fill(st.ask), " ")
	method, path, _ := strings.Cut(request, " ")
	c := call{method: method, path: path, body: s.fill(st.body), token: who, header: st.header}
	if who == "nobody" {
		c.token = ""
	} else if token, found := s.api.tokens[strings.ReplaceAll(who, "-", " ")]; found {
		c.token = token
	}
	a, err := try(s.address, c)
	if err != nil {
		t.Fatalf("%s: %v", st.ask, err)
	}
	return a
}

// remember keeps what a later step refers to.
func (s *side) remember(t *testing.T, st *step, a answer) {
	t.Helper()
	if st.keep == "" {
		return
	}
	name, member, given := strings.Cut(st.keep, "=")
	if !given {
		member = "id"
	}
	value, _ := at(a.object(t), strings.Split(member, ".")...).(string)
	if value == "" {
		t.Fatalf("%s: no %s in %s", st.ask, member, a)
	}
	s.kept[name] = value
}

func (s *side) fill(text string) string {
	for name, value := range s.kept {
		text = strings.ReplaceAll(text, "<"+name+">", value)
	}
	return text
}

var (
	anyToken = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)
	anyTime  = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
	anyID    = regexp.MustCompile(`\b([0-9a-f]{32}|[0-9a-f]{24})\b`)
)

// canonical replaces what differs between two processes and nothing else: signed
// tokens, the present time, and the ids that were made up, by their number.
func (s *side) canonical(text string) string {
	text = anyToken.ReplaceAllString(text, "TOKEN")
	text = anyTime.ReplaceAllStringFunc(text, func(stamp string) string {
		at, err := time.Parse(time.RFC3339, stamp)
		if err == nil && time.Since(at).Abs() < 48*time.Hour {
			return "NOW"
		}
		return stamp
	})
	return anyID.ReplaceAllStringFunc(text, func(id string) string {
		if strings.HasPrefix(id, "65aa0") {
			return id
		}
		if s.known[id] == "" {
			s.known[id] = fmt.Sprintf("ID%d", len(s.known))
		}
		return s.known[id]
	})
}

// canonicalHeader is a header without the origin, which is each side's own.
func (s *side) canonicalHeader(a answer, name string) string {
	values := strings.Join(a.header.Values(name), ", ")
	return s.canonical(strings.ReplaceAll(values, "<http://"+s.address+"/", "<ORIGIN/"))
}
