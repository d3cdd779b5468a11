package proxy

import (
	"cmp"
	"sync"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/topk"
	"github.com/chatshipper/gateway/limiter"
)

// The most refused are kept for two spans of this length: what is told is of the
// last 10 to 20 minutes, so that the list is of today and yet never empty.
const offenderSpan = int64(10 * time.Minute)

// offenderPlaces is how many clients, keys and conversations a span keeps apart.
// A count is at most a 512th of all refusals of its kind too high.
const offenderPlaces = 512

// offender is whom a rule refused. Its digests are those that the access log
// writes; counter is what the rule counts it by.
type offender struct {
	rule    string
	who     digest.ID // client, key or conversation
	bot     digest.ID // of a conversation
	counter digest.ID // of a client or key
	limit   int
	window  time.Duration
}

func compareOffenders(a, b offender) int {
	return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.who.Hi, b.who.Hi), cmp.Compare(a.bot.Hi, b.bot.Hi))
}

// Kinds of offenders: each has places of its own, so that a flood of one kind
// pushes out no other.
const (
	offendingIP = iota
	offendingKey
	offendingConversation
	offenderKinds
)

// offenders finds the most refused in fixed memory. Only a refusal costs
// anything.
type offenders struct {
	mu      sync.Mutex
	spans   [2][offenderKinds]*topk.Sketch[offender] // this one, and the one before
	started [2]int64                                 // process time, ns
}

func newOffenders(now int64) *offenders {
	o := &offenders{started: [2]int64{now, now}}
	for span := range o.spans {
		for kind := range o.spans[span] {
			o.spans[span][kind] = topk.New(offenderPlaces, compareOffenders)
		}
	}
	return o
}

func (o *offenders) add(now int64, kind int, who offender) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn(now)
	o.spans[0][kind].Add(who)
}

// turn begins another span when this one is over.
func (o *offenders) turn(now int64) {
	if now-o.started[0] < offenderSpan {
		return
	}
	before := o.started[0]
	o.spans[0], o.spans[1] = o.spans[1], o.spans[0]
	o.started = [2]int64{now, before}
	for _, sketch := range o.spans[0] {
		sketch.Clear()
	}
	if now-before >= 2*offenderSpan { // nobody was refused for a whole span
		o.started[1] = now
		for _, sketch := range o.spans[1] {
			sketch.Clear()
		}
	}
}

// noteRequest notes whom a request limit refused.
func (x *exchange) noteRequest(ip, key limiter.Hit) {
	state := &x.decision.States[x.decision.Refused]
	who := offender{rule: x.decision.Refused.String(), limit: state.Limit.Requests, window: state.Limit.Window}
	kind := offendingIP
	if x.decision.Refused == limiter.PerKey {
		kind, who.who, who.counter = offendingKey, x.who.Key, key.ID
	} else {
		who.who, who.counter = ip.ID, ip.ID
	}
	x.g.offenders.add(x.now, kind, who)
}

// noteMessages notes the bot and the conversation that a message limit refused.
func (x *exchange) noteMessages() {
	limit := x.verdict.States[x.verdict.Refused].Limit
	x.g.offenders.add(x.now, offendingConversation, offender{
		rule: x.verdict.Refused.String(), who: x.batch.Messages[0].Conversation, bot: x.who.User,
		limit: limit.Messages, window: limit.Window,
	})
}

// Offender is one of the most refused. Who and Bot are digests, as the access log
// writes them; explain understands them while they are listed.
type Offender struct {
	Rule    string `json:"rule"`
	Who     string `json:"who"`
	Bot     string `json:"bot,omitempty"`
	Refused uint64 `json:"refused"`             // never too low
	Error   uint64 `json:"at_most_too_high_by"` // 0 nearly always
	Limit   int    `json:"limit"`
	Window  string `json:"window"`
}

// Offenders are the most refused of each kind, the most often refused first.
type Offenders struct {
	Since         time.Time  `json:"since"`
	IPs           []Offender `json:"ips"`
	Keys          []Offender `json:"keys"`
	Conversations []Offender `json:"conversations"`
}

// Top tells the n most refused clients, keys and conversations of the last 10 to
// 20 minutes.
func (g *Gateway) Top(n int) Offenders {
	o := g.offenders
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn(g.clock.now())
	return Offenders{
		Since: time.Unix(0, o.started[1]).UTC(),
		IPs:   o.top(offendingIP, n), Keys: o.top(offendingKey, n), Conversations: o.top(offendingConversation, n),
	}
}

// top adds up both spans.
func (o *offenders) top(kind, n int) []Offender {
	sums := topk.Merge(compareOffenders, o.spans[0][kind], o.spans[1][kind])
	list := make([]Offender, 0, min(n, len(sums)))
	for _, item := range sums[:min(n, len(sums))] {
		who := Offender{
			Rule: item.Key.rule, Who: item.Key.who.Short(), Refused: item.Count, Error: item.Error,
			Limit: item.Key.limit, Window: item.Key.window.String(),
		}
		if kind == offendingConversation {
			who.Bot = item.Key.bot.Short()
		}
		list = append(list, who)
	}
	return list
}

// find resolves a digest as it is listed.
func (o *offenders) find(kind int, short string) (found offender, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, span := range o.spans {
		span[kind].Each(func(who offender) bool {
			if who.who.Short() == short {
				found, ok = who, true
			}
			return !ok
		})
	}
	return found, ok
}
