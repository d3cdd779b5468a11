package limiter

import (
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/window"
)

// Memory keeps the counts of this process. It is safe for concurrent use.
type Memory struct {
	stores [ruleCount]store
	seed   uint64
	shift  uint // of a key's hash, which leaves the number of its shard
}

// store holds the counts of one rule.
type store struct {
	shards []shard // as many as a power of two
	budget *window.Budget
}

// shard is a part of a rule's keys.
type shard struct {
	mu         sync.Mutex
	latest     int64  // newest time of a decision
	live       tables // what the limits count; what is looked at first of it stands in the shard's first cache line
	candidates tables // what the candidates count
}

// tables are one for each distinct window, of which overrides may have some of their
// own: nearly always there is only the first.
type tables struct {
	first  window.Table
	others []*window.Table
}

// A shard for each of 16 requests that every processor could be judging at once
// makes it unlikely enough that two wait for each other. More would spread what is
// looked at for every key over more memory than a processor's caches hold.
const (
	shardsEach = 16 // for each processor
	fewest     = 32
	most       = 256
)

// NewMemory makes an empty store of at most maxBytes, shared evenly by the rules.
func NewMemory(maxBytes int64) *Memory {
	shards := fewest
	for shards < most && shards < shardsEach*runtime.GOMAXPROCS(0) {
		shards *= 2
	}
	m := &Memory{seed: rand.Uint64(), shift: uint(64 - bits.TrailingZeros(uint(shards)))}
	for r := range m.stores {
		m.stores[r] = store{make([]shard, shards), window.NewBudget(maxBytes / int64(ruleCount))}
	}
	return m
}

// Take decides one request at the time now (ns), and counts it if it is
// admitted. A hit without a limit is not looked at. Callers may pass times out of
// order: a decision is made at Decision.At, no earlier than any other of its
// shards. It allocates nothing for keys that are known.
func (m *Memory) Take(now int64, ip, key Hit) Decision {
	c := decision{hits: [ruleCount]Hit{ip, key}}
	return m.decide(now, &c, true)
}

// Peek decides as Take would, and counts nothing.
func (m *Memory) Peek(now int64, ip, key Hit) Decision {
	c := decision{hits: [ruleCount]Hit{ip, key}}
	return m.decide(now, &c, false)
}

// Ahead asks for what Take will look at of a key soon, so that it need not wait for it.
func (m *Memory) Ahead(r Rule, id digest.ID) {
	s := m.shard(r, id)
	s.mu.Lock()
	s.live.first.Ahead(id)
	s.mu.Unlock()
}

// decision is one call of decide: the rules that apply, with their shards locked.
type decision struct {
	hits   [ruleCount]Hit
	shards [ruleCount]*shard // nil where the rule does not apply
	tables [ruleCount]*window.Table
	logs   [ruleCount]window.Log
}

func (m *Memory) decide(now int64, c *decision, count bool) (d Decision) {
	d.At = m.lock(c, now)
	m.look(c, &d)
	d.Refused, d.Admitted = verdict(&d)
	if d.Admitted && count {
		c.record(&d)
	}
	if d.Admitted && (c.hits[PerIP].Limit.Candidate != nil || c.hits[PerKey].Limit.Candidate != nil) {
		m.try(c, &d, count)
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
			c.shards[r] = m.shard(Rule(r), c.hits[r].ID)
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
			c.tables[r] = c.shards[r].live.of(c.hits[r].ID, &c.hits[r].Limit, m.stores[r].budget, d.At)
			c.logs[r] = c.tables[r].Live(c.hits[r].ID, d.At, window.All)
			d.States[r].fill(&c.hits[r].Limit, &c.logs[r])
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

// fill tells how a log stands to a limit. The state must be the zero one.
func (s *State) fill(limit *Limit, log *window.Log) {
	s.Limit, s.Used, s.Reset = *limit, log.N, log.Leaves(1)
	if log.N >= limit.Requests {
		s.Over = true
		s.Wait = log.Leaves(log.N - limit.Requests + 1)
	}
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

func (m *Memory) shard(r Rule, id digest.ID) *shard {
	return &m.stores[r].shards[((id.Hi^m.seed)*0x9E3779B97F4A7C15^id.Lo*0xC2B2AE3D27D4EB4F)>>m.shift]
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
		t := c.shards[r].candidates.of(id, candidate, m.stores[r].budget, d.At)
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
	s := m.shard(r, h.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	now = max(now, s.latest)
	stand := func(t *tables, limit *Limit) Standing {
		if limit == nil || limit.Requests == 0 {
			return Standing{}
		}
		log := t.of(h.ID, limit, m.stores[r].budget, now).Live(h.ID, now, window.All)
		standing := Standing{Times: log.Times(nil)}
		standing.fill(limit, &log)
		return standing
	}
	return stand(&s.live, &h.Limit), stand(&s.candidates, h.Limit.Candidate)
}

// of finds the table of a limit's window. When the window was changed, the key's
// times move over from the table that has them, so that a reload forgets nothing.
func (t *tables) of(id digest.ID, limit *Limit, b *window.Budget, now int64) *window.Table {
	if len(t.others) == 0 && t.first.Window() == limit.Window {
		return &t.first
	}
	return t.among(id, limit, b, now)
}

func (t *tables) among(id digest.ID, limit *Limit, b *window.Budget, now int64) (to *window.Table) {
	for other := range t.all {
		if other.Window() == limit.Window {
			to = other
		}
	}
	switch {
	case to != nil:
	case t.first.Window() == 0:
		to = &t.first
		to.Init(limit.Window, b)
	default:
		to = window.NewTable(limit.Window, b)
		t.others = append(t.others, to)
	}
	for from := range t.all {
		if from != to {
			from.Move(id, to, limit.Requests, now)
		}
	}
	return to
}

// all goes through the tables that are in use.
func (t *tables) all(yield func(*window.Table) bool) {
	if t.first.Window() == 0 || !yield(&t.first) {
		return
	}
	for _, other := range t.others {
		if !yield(other) {
			return
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
