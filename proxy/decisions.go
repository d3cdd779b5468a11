package proxy

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/limiter"
)

// What became of a request, as the list of decisions sorts them.
const (
	kindAdmitted    = "admitted"
	kindRefused     = "refused"      // by a limit
	kindWouldRefuse = "would_refuse" // in shadow mode, or by a candidate
	kindError       = "error"        // answered 400 or more for any other reason
)

// What is remembered of each kind, 200 in all: a flood of one pushes out no other.
const (
	keptRefusals = 100 // by a limit, or in shadow mode
	keptErrors   = 60
	keptAdmitted = 40
)

// admittedEvery is the shortest time between two admitted requests that are
// remembered, ns. More would only push each other out unread.
const admittedEvery = int64(50 * time.Millisecond)

// ledger remembers the last requests in fixed memory: refusals and errors always,
// admitted requests as samples and only while somebody watches. Noting one
// allocates nothing and waits for nobody: a place that is just being read is passed
// over.
type ledger struct {
	watched  atomic.Bool
	_        [64]byte // every request reads the one above, every refusal writes below
	serial   atomic.Uint64
	sampled  atomic.Int64 // process time of the last admitted one, ns
	refusals ring
	errors   ring
	admitted ring
}

// ring is the last decisions of one kind.
type ring struct {
	next   atomic.Uint64
	places []place
}

type place struct {
	mu   sync.Mutex
	what decision
}

// decision is what is remembered of a request: digests and names of closed sets.
type decision struct {
	serial           uint64
	at               int64 // process time, ns
	took, upstreamed int64 // ns
	kind             string
	rule, code       string
	method           method
	route            route
	status, source   int
	retryAfter       int
	key, ip          digest.ID
	bot              digest.ID
	conversation     digest.ID
	limits           [2]limiter.Limit // that the request was judged by, for a look at how the caller stands now
	id               [36]byte         // the request's, cut
	idLength         int
}

func (l *ledger) init() {
	l.refusals.places, l.errors.places, l.admitted.places = make([]place, keptRefusals), make([]place, keptErrors), make([]place, keptAdmitted)
}

// put remembers a decision in the next place.
func (r *ring) put(d *decision) {
	p := &r.places[(r.next.Add(1)-1)%uint64(len(r.places))]
	if p.mu.TryLock() {
		if p.what.serial < d.serial { // else the ring has come around meanwhile
			p.what = *d
		}
		p.mu.Unlock()
	}
}

// of is where decisions of a kind are kept.
func (l *ledger) of(kind string) *ring {
	switch kind {
	case kindAdmitted:
		return &l.admitted
	case kindError:
		return &l.errors
	}
	return &l.refusals
}

// takes reports whether an admitted request of now is to be remembered.
func (l *ledger) takes(now int64) bool {
	if !l.watched.Load() {
		return false
	}
	last := l.sampled.Load()
	return now-last >= admittedEvery && l.sampled.CompareAndSwap(last, now)
}

// remember notes what became of the request.
func (x *exchange) remember(took int64, source int) {
	l, kind := &x.g.ledger, x.kind()
	if kind == kindAdmitted && !l.takes(x.now) {
		return
	}
	what := decision{
		serial: l.serial.Add(1), at: x.now, took: took, upstreamed: x.upstreamed, kind: kind,
		method: x.method, route: x.routed.route, status: x.status, source: source,
		key: x.who.Key,
	}
	if x.client.IsValid() {
		what.ip = x.rules.limits.ClientIDAgain(x.client, x.recent())
	}
	what.idLength = copy(what.id[:], x.id)
	if what.rule, _ = x.ruling(); what.rule == "" {
		what.rule = x.candidate()
	}
	if x.refused {
		what.code, what.retryAfter = x.refusal.Code.String(), x.refusal.RetryAfter
	}
	if x.read && len(x.batch.Messages) > 0 {
		what.conversation = x.batch.Messages[0].Conversation
		if x.who.Role == identity.Bot {
			what.bot = x.who.User
		}
	}
	for rule := range what.limits {
		what.limits[rule] = x.decision.States[rule].Limit
	}
	l.of(kind).put(&what)
}

// kind sorts the request.
func (x *exchange) kind() string {
	switch _, ruled := x.ruling(); {
	case ruled == decisions[refused]:
		return kindRefused
	case x.status >= 400:
		return kindError
	case ruled == decisions[wouldRefuse] || x.candidate() != "":
		return kindWouldRefuse
	}
	return kindAdmitted
}

// Decision is one request and what became of it. Callers and conversations are
// digests, as the access log writes them.
type Decision struct {
	Serial       uint64    `json:"serial"` // the later the greater
	At           time.Time `json:"at"`
	Kind         string    `json:"kind"` // admitted, refused, would_refuse or error
	Rule         string    `json:"rule,omitempty"`
	Code         string    `json:"code,omitempty"` // of an answer of ours
	Method       string    `json:"method"`
	Route        string    `json:"route"`
	Status       int       `json:"status"`
	Source       string    `json:"source"` // gateway or upstream: who answered
	IP           string    `json:"ip,omitempty"`
	Key          string    `json:"key,omitempty"`
	Bot          string    `json:"bot,omitempty"`
	Conversation string    `json:"conversation,omitempty"`
	RetryAfter   int       `json:"retry_after_s,omitempty"`
	DurationMS   float64   `json:"duration_ms"`
	UpstreamMS   float64   `json:"upstream_ms,omitempty"`
	RequestID    string    `json:"request_id"`
}

// Decisions tells the last 200 decisions of those later than a serial number, the
// latest first: every refusal and error, and samples of the requests admitted since
// somebody watches. last is the serial number of the latest.
func (g *Gateway) Decisions(after uint64) (list []Decision, last uint64) {
	for _, d := range g.ledger.latest() {
		if d.serial > after {
			list, last = append(list, d.told()), max(last, d.serial)
		}
	}
	return list, last
}

// latest returns what is remembered, the latest first.
func (l *ledger) latest() []decision {
	list := make([]decision, 0, keptRefusals+keptErrors+keptAdmitted)
	for _, r := range []*ring{&l.refusals, &l.errors, &l.admitted} {
		for i := range r.places {
			p := &r.places[i]
			p.mu.Lock()
			if p.what.serial > 0 {
				list = append(list, p.what)
			}
			p.mu.Unlock()
		}
	}
	slices.SortFunc(list, func(a, b decision) int { return cmp.Compare(b.serial, a.serial) })
	return list
}

func (d *decision) told() Decision {
	return Decision{
		Serial: d.serial, At: unixTime(d.at), Kind: d.kind, Rule: d.rule, Code: d.code,
		Method: d.method.String(), Route: d.route.String(), Status: d.status, Source: sources[d.source],
		IP: shortOf(d.ip), Key: shortOf(d.key), Bot: shortOf(d.bot), Conversation: shortOf(d.conversation),
		RetryAfter: d.retryAfter, DurationMS: milliseconds(d.took), UpstreamMS: milliseconds(d.upstreamed),
		RequestID: string(d.id[:d.idLength]),
	}
}

// shortOf is a digest as logs write it, or nothing for nobody.
func shortOf(id digest.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.Short()
}

// milliseconds has three decimals.
func milliseconds(ns int64) float64 { return float64(ns/1000) / 1000 }

// Watch says whether somebody watches: only then are admitted requests sampled,
// and the messages of every bot remembered for the list of those near a limit.
func (g *Gateway) Watch(on bool) { g.ledger.watched.Store(on) }
