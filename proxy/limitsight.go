package proxy

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

const (
	// nearestKeys is how many keys of each rule are told.
	nearestKeys = 8
	// mostLooked is how many talks are looked up in this process, about 1 µs each;
	// mostAsked in a shared store, a round trip each.
	mostLooked = 512
	mostAsked  = 32
	// mostBlocked is how many blocks are told.
	mostBlocked = 100
)

// LimitSight is one rule, and who is nearest to its limit.
type LimitSight struct {
	Rule        string   `json:"rule"`
	Mode        string   `json:"mode"`  // enforce, shadow or off
	Limit       int      `json:"limit"` // for all without an override
	WindowMS    int64    `json:"window_ms"`
	Window      string   `json:"window"`
	Candidate   int      `json:"candidate,omitempty"` // the limit that is tried beside it
	Keys        int64    `json:"keys"`                // that this process keeps count of
	Capacity    int64    `json:"capacity"`
	EvictedLive uint64   `json:"evicted_live"` // forgotten for want of room: not enforced
	Admitted    uint64   `json:"admitted"`     // since the start, as are the next two
	Refused     uint64   `json:"refused"`
	WouldRefuse uint64   `json:"would_refuse"`
	Nearest     []NearBy `json:"nearest"`
}

// NearBy is how one caller stands with a rule. Callers are digests, as the access
// log writes them.
type NearBy struct {
	Who          string `json:"who,omitempty"` // address or key
	Bot          string `json:"bot,omitempty"`
	Conversation string `json:"conversation,omitempty"`
	Used         int    `json:"used"`
	Limit        int    `json:"limit"`
	FreeMS       int64  `json:"free_ms,omitempty"` // until one more is admitted; 0 when it is now
}

// Block is a bot that may send nothing more to a conversation: by the
// consecutive rule, or by the identical rule not this text.
type Block struct {
	Rule         string    `json:"rule"`
	Bot          string    `json:"bot"`
	Conversation string    `json:"conversation"`
	Content      string    `json:"content,omitempty"` // digest of the text, of the identical rule
	Used         int       `json:"used"`
	Limit        int       `json:"limit"`
	Window       string    `json:"window"`
	Since        time.Time `json:"since"`   // its first refusal
	Refused      uint64    `json:"refused"` // messages, since then
	SecondsLeft  float64   `json:"seconds_left"`
}

// observer looks at the counts for operators. Its surveys go on where the last
// look ended, so looks don't overlap.
type observer struct {
	mu      sync.Mutex
	surveys [2]*limiter.Survey
}

// Limits tells how every rule stands with the keys nearest to its limit, and whom
// it blocks: at most 100, the latest first. It takes a few milliseconds, a few µs
// of them under any one lock.
func (g *Gateway) Limits() (limits []LimitSight, blocked []Block) {
	g.observer.mu.Lock()
	defer g.observer.mu.Unlock()
	now, r := g.clock.now(), g.rules.Load()
	for rule := range limiter.Rule(2) {
		l, own := requestLimit(r.limits.General(rule)), g.stores.OwnRequests
		l.Rule, l.Keys, l.Capacity, l.EvictedLive = rule.String(), own.Entries(rule), own.Capacity(rule), own.EvictedLive(rule)
		l.decided(&g.metrics.limits[rule])
		l.Nearest = g.nearestCallers(now, rule)
		limits = append(limits, l)
	}
	near, blocked := g.overheard(now)
	for rule := range loopguard.Rule(loopguard.RuleCount) {
		l, own := messageLimit(r.guard.Limit(rule), r.guard.Limit(rule+loopguard.RuleCount)), g.stores.OwnMessages
		l.Rule, l.Keys, l.Capacity, l.EvictedLive = rule.String(), own.Entries(rule), own.Capacity(rule), own.EvictedLive(rule)
		l.decided(&g.metrics.messages[rule])
		l.Nearest = nearestFirst(near[l.Rule])
		limits = append(limits, l)
	}
	return limits, blocked[:min(mostBlocked, len(blocked))]
}

func requestLimit(l limiter.Limit) LimitSight {
	s := sightOf(l.Requests, l.Window, l.Shadow)
	if l.Candidate != nil {
		s.Candidate = l.Candidate.Requests
	}
	return s
}

func messageLimit(l, candidate loopguard.Limit) LimitSight {
	s := sightOf(l.Messages, l.Window, l.Shadow)
	s.Candidate = candidate.Messages
	return s
}

func sightOf(limit int, window time.Duration, shadow bool) LimitSight {
	mode := modeOf(shadow)
	if limit == 0 {
		mode = "off"
	}
	return LimitSight{Mode: mode, Limit: limit, WindowMS: window.Milliseconds(), Window: window.String()}
}

// nearestCallers are the addresses, or keys, nearest to their limit.
func (g *Gateway) nearestCallers(now int64, rule limiter.Rule) []NearBy {
	list := make([]NearBy, 0, nearestKeys)
	if g.stores.Shared != nil {
		return g.askedCallers(now, rule, list)
	}
	if g.observer.surveys[rule] == nil {
		g.observer.surveys[rule] = g.stores.OwnRequests.NewSurvey(rule)
	}
	found, _ := g.observer.surveys[rule].Look(now, nearestKeys)
	for _, n := range found {
		by := NearBy{Who: n.ID.Short(), Used: n.Used, Limit: n.Limit}
		if n.Used >= n.Limit {
			by.FreeMS = ceilMS(n.Free)
		}
		list = append(list, by)
	}
	return list
}

// askedCallers asks a shared store about the callers of the last decisions.
func (g *Gateway) askedCallers(now int64, rule limiter.Rule, list []NearBy) []NearBy {
	seen := make(map[digest.ID]bool)
	for _, d := range g.ledger.latest() {
		id := [2]digest.ID{d.ip, d.key}[rule]
		if id.IsZero() || seen[id] || d.limits[rule].Requests == 0 || len(seen) >= mostAsked {
			continue
		}
		seen[id] = true
		s, _, err := g.stores.Shared.LookRequests(now, rule, limiter.Hit{ID: id, Limit: d.limits[rule]})
		if err != nil && !g.stores.Shared.Degraded() {
			break // each further look would wait as long
		}
		if s.Used > 0 {
			list = append(list, NearBy{Who: id.Short(), Used: s.Used, Limit: d.limits[rule].Requests, FreeMS: ceilMS(s.Wait)})
		}
	}
	return nearestFirst(list)
}

// overheard asks how the bots that were remembered stand now: how near each is to
// the limit of each rule, and which are blocked.
func (g *Gateway) overheard(now int64) (near map[string][]NearBy, blocked []Block) {
	most := mostLooked
	if g.stores.Shared != nil {
		most = mostAsked
	}
	near, blocked = make(map[string][]NearBy), []Block{}
	seen := make(map[Block]int) // the names of what was seen, and its place in blocked
	for i, t := range g.talks.latest(most) {
		if i%32 == 31 {
			runtime.Gosched() // on a single busy core requests go first
		}
		list, err := g.look(now, &t)
		if err != nil && !g.stores.Shared.Degraded() {
			break // each further look would wait as long
		}
		for _, s := range list {
			name, live := t.name(s.Rule)
			if !live || s.Used == 0 {
				continue
			}
			at, again := seen[name]
			if !again {
				at, seen[name] = -1, -1
				near[s.Rule] = append(near[s.Rule], NearBy{
					Bot: name.Bot, Conversation: name.Conversation, Used: s.Used, Limit: s.Limit.Messages, FreeMS: ceilMS(s.Wait),
				})
			}
			switch {
			case t.refused == 0 || s.Wait <= 0 || s.Limit.Shadow:
			case at >= 0:
				blocked[at].and(&t)
			default:
				seen[name] = len(blocked)
				blocked = append(blocked, name.by(&s, &t))
			}
		}
	}
	slices.SortStableFunc(blocked, func(a, b Block) int { return b.Since.Compare(a.Since) })
	return near, blocked
}

// name is what a rule blocks of a talk. live is false for a candidate, which
// blocks nothing.
func (t *talk) name(rule string) (name Block, live bool) {
	name = Block{Rule: rule, Bot: t.bot.Short(), Conversation: t.conversation.Short()}
	switch rule {
	case loopguard.Consecutive.String():
		return name, true
	case loopguard.Identical.String():
		name.Content = t.content.Short()
		return name, true
	}
	return name, false
}

// by is the whole block, of which b is the name.
func (b Block) by(s *loopguard.Standing, t *talk) Block {
	b.Used, b.Limit, b.Window, b.SecondsLeft = s.Used, s.Limit.Messages, s.Limit.Window.String(), s.Wait.Seconds()
	b.Since, b.Refused = unixTime(t.refusedAt), t.refused
	return b
}

// and adds another text of a bot that the consecutive rule blocks.
func (b *Block) and(t *talk) {
	b.Refused += t.refused
	if since := unixTime(t.refusedAt); since.Before(b.Since) {
		b.Since = since
	}
}

// decided tells what became of requests, from the counters of the metrics.
func (l *LimitSight) decided(counters *[3]prometheus.Counter) {
	l.Admitted, l.Refused, l.WouldRefuse = uint64(valueOf(counters[admitted])), uint64(valueOf(counters[refused])), uint64(valueOf(counters[wouldRefuse]))
}

// nearestFirst keeps the few that are nearest, and of each caller one.
func nearestFirst(list []NearBy) []NearBy {
	slices.SortStableFunc(list, func(a, b NearBy) int {
		return cmp.Or(cmp.Compare(b.Used*a.Limit, a.Used*b.Limit), cmp.Compare(b.FreeMS, a.FreeMS),
			cmp.Compare(a.Who+a.Bot+a.Conversation, b.Who+b.Bot+b.Conversation))
	})
	kept := make([]NearBy, 0, nearestKeys)
	for _, n := range list {
		same := func(k NearBy) bool { return k.Who == n.Who && k.Bot == n.Bot && k.Conversation == n.Conversation }
		if len(kept) < nearestKeys && !slices.ContainsFunc(kept, same) { // of many texts the nearest
			kept = append(kept, n)
		}
	}
	return kept
}

// ceilMS rounds up to whole milliseconds.
func ceilMS(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }
