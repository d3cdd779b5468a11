package limiter

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/window"
)

const shardCount = 256 // a power of two

// Memory keeps the counts of this process. It is safe for concurrent use.
type Memory struct {
	stores [ruleCount]store
	seed   uint64
}

// store holds the counts of one rule.
type store struct {
	shards [shardCount]shard
	budget *window.Budget
	_      [56]byte // so that the shards of every store begin with a cache line
}

// shard is a part of a rule's keys. Overrides may have windows of their own, so
// there is a table for each distinct window: one, nearly always.
type shard struct {
	mu         sync.Mutex
	latest     int64 // newest time of a decision
	tables     []table
	candidates []table // what the candidates count; with it, a shard is one cache line
}

type table struct {
	window time.Duration
	*window.Table
}

// NewMemory makes an empty store of at most maxBytes, shared evenly by the rules.
func NewMemory(maxBytes int64) *Memory {
	m := &Memory{seed: rand.Uint64()}
	for r := range m.stores {
		m.stores[r].budget = window.NewBudget(maxBytes / int64(ruleCount))
	}
	return m
}

// Take decides one request at the time now (ns), and counts it if it is
// admitted. A hit without a limit is not looked at. Callers may pass times out of
// order: a decision is made at Decision.At, no earlier than any other of its
// shards. It allocates nothing for keys that are known.
func (m *Memory) Take(now int64, ip, key Hit) Decision {
	return m.decide(now, [ruleCount]Hit{ip, key}, true)
}

// Peek decides as Take would, and counts nothing.
func (m *Memory) Peek(now int64, ip, key Hit) Decision {
	return m.decide(now, [ruleCount]Hit{ip, key}, false)
}

// Ahead asks for what Take will look at of a key soon, so that it need not wait for it.
func (m *Memory) Ahead(r Rule, id digest.ID) {
	s := m.stores[r].shard(id, m.seed)
	s.mu.Lock()
	if len(s.tables) > 0 {
		s.tables[0].Ahead(id)
	}
	s.mu.Unlock()
}

// decision is one call of decide: the rules that apply, with their shards locked.
type decision struct {
	hits   [ruleCount]Hit
	shards [ruleCount]*shard // nil where the rule does not apply
	tables [ruleCount]*window.Table
	logs   [ruleCount]window.Log
}

func (m *Memory) decide(now int64, hits [ruleCount]Hit, count bool) (d Decision) {
	c := decision{hits: hits}
	d.At = m.lock(&c, now)
	m.look(&c, &d)
	d.Refused, d.Admitted = verdict(&d)
	if d.Admitted && count {
		c.record(&d)
	}
	if d.Admitted && (hits[PerIP].Limit.Candidate != nil || hits[PerKey].Limit.Candidate != nil) {
		m.try(&c, &d, count)
	}
	for _, s := range c.shards {
		if s != nil {
			s.mu.Unlock()
		}
	}
	return d
}

// lock takes the shards of a decision, always in the order of the rules: no two
// callers can wait for each other. It returns the time of the decision, which
// never runs backwards within a shard: what was found to have left the window
// stays out of it.
func (m *Memory) lock(c *decision, now int64) int64 {
	for r := range c.hits {
		if c.hits[r].Limit.Requests > 0 {
			c.shards[r] = m.stores[r].shard(c.hits[r].ID, m.seed)
			c.shards[r].mu.Lock()
			now = max(now, c.shards[r].latest)
		}
	}
	for _, s := range c.shards {
		if s != nil {
			s.latest = now
		}
	}
	return now
}

// look finds out how the keys stand.
func (m *Memory) look(c *decision, d *Decision) {
	for r := range c.hits {
		if c.shards[r] != nil {
			c.tables[r] = tableFor(&c.shards[r].tables, c.hits[r].ID, &c.hits[r].Limit, m.stores[r].budget, d.At)
			c.logs[r] = c.tables[r].Live(c.hits[r].ID, d.At, window.All)
			d.States[r] = stateOf(c.hits[r].Limit, &c.logs[r])
		}
	}
}

// record counts an admitted request for every rule that is not over.
func (c *decision) record(d *Decision) {
	for r := range c.hits {
		if s := &d.States[r]; c.shards[r] != nil && !s.Over {
			if !c.logs[r].Append(d.At, s.Limit.Requests) {
				c.tables[r].Add(c.hits[r].ID, d.At, s.Limit.Requests, d.At)
			}
			s.Used++
			if s.Reset == 0 {
				s.Reset = s.Limit.Window
			}
		}
	}
}

func stateOf(limit Limit, log *window.Log) State {
	s := State{Limit: limit, Used: log.N, Reset: log.Leaves(1)}
	if log.N >= limit.Requests {
		s.Over = true
		s.Wait = log.Leaves(log.N - limit.Requests + 1)
	}
	return s
}

// verdict finds the rule that refuses: of two, the one with the longer wait,
// because only then can the next try succeed.
func verdict(d *Decision) (refused Rule, admitted bool) {
	admitted = true
	for r := range d.States {
		if s := &d.States[r]; s.Over && !s.Limit.Shadow && (admitted || s.Wait > d.States[refused].Wait) {
			refused, admitted = Rule(r), false
		}
	}
	return refused, admitted
}

func (s *store) shard(id digest.ID, seed uint64) *shard {
	return &s.shards[((id.Hi^seed)*0x9E3779B97F4A7C15^id.Lo*0xC2B2AE3D27D4EB4F)>>(64-8)]
}

// try asks the candidates about a request that the limits admitted, and counts
// it for those that admit it too.
func (m *Memory) try(c *decision, d *Decision, count bool) {
	for r := range c.hits {
		candidate := c.hits[r].Limit.Candidate
		if c.shards[r] == nil || candidate == nil {
			continue
		}
		id := c.hits[r].ID
		t := tableFor(&c.shards[r].candidates, id, candidate, m.stores[r].budget, d.At)
		if log := t.Live(id, d.At, window.All); log.N >= candidate.Requests {
			d.Trials[r] = WouldRefuse
			continue
		}
		d.Trials[r] = WouldAdmit
		if count {
			t.Add(id, d.At, candidate.Requests, d.At)
		}
	}
}

// Standing is how a key stands with a limit, or with its candidate.
type Standing struct {
	State
	Times []int64 // of the requests that count, ns, oldest first
}

// Look tells how a key stands with a rule at the time now (ns), and with its
// candidate: the zero Standing without one. It counts nothing.
func (m *Memory) Look(now int64, r Rule, h Hit) (live, candidate Standing) {
	s := m.stores[r].shard(h.ID, m.seed)
	s.mu.Lock()
	defer s.mu.Unlock()
	now = max(now, s.latest)
	stand := func(tables *[]table, limit *Limit) Standing {
		if limit == nil || limit.Requests == 0 {
			return Standing{}
		}
		log := tableFor(tables, h.ID, limit, m.stores[r].budget, now).Live(h.ID, now, window.All)
		return Standing{stateOf(*limit, &log), log.Times(nil)}
	}
	return stand(&s.tables, &h.Limit), stand(&s.candidates, h.Limit.Candidate)
}

// tableFor finds the table of a limit's window. When the window was changed, the
// key's times move over from the table that has them, so that a reload forgets
// nothing.
func tableFor(tables *[]table, id digest.ID, limit *Limit, b *window.Budget, now int64) *window.Table {
	for i := range *tables {
		if t := &(*tables)[i]; t.window == limit.Window {
			if len(*tables) > 1 {
				moveTo(*tables, t.Table, id, limit.Requests, now)
			}
			return t.Table
		}
	}
	t := window.NewTable(limit.Window, b)
	*tables = append(*tables, table{limit.Window, t})
	moveTo(*tables, t, id, limit.Requests, now)
	return t
}

func moveTo(tables []table, to *window.Table, id digest.ID, size int, now int64) {
	for i := range tables {
		if tables[i].Table != to {
			tables[i].Move(id, to, size, now)
		}
	}
}

// Entries is how many keys a rule keeps count of.
func (m *Memory) Entries(r Rule) int64 { return m.stores[r].budget.Entries() }

// Capacity is how many keys of the documented limit of 20 a rule has room for.
func (m *Memory) Capacity(r Rule) int64 { return m.stores[r].budget.Capacity(20) }

// EvictedLive is how many keys a rule forgot, for want of room, while they were
// still inside their window.
func (m *Memory) EvictedLive(r Rule) uint64 { return m.stores[r].budget.EvictedLive() }

// Bytes is how much memory the counts take.
func (m *Memory) Bytes() (n int64) {
	for r := range m.stores {
		n += m.stores[r].budget.Used()
	}
	return n
}
