package limiter

import (
	"cmp"
	"runtime"
	"slices"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/window"
)

const (
	// surveySteps is how many keys are looked at while one lock is held: 256 of ten
	// requests each take 9 µs (BenchmarkWalk of internal/window), which is as long
	// as a request of that shard may wait for a survey.
	surveySteps = 256
	// surveyPieces is how many such pieces one call looks at: all 65,536 keys in
	// 2.5 ms (BenchmarkSurvey). Where there are more, the next call goes on.
	surveyPieces = 256
)

// Near is how one key stands to its limit.
type Near = window.Near

// Survey finds the keys of a rule that are nearest to their limit. Its calls must
// not overlap.
type Survey struct {
	m     *Memory
	rule  Rule
	shard int    // where the next look goes on
	table int    // of the shard
	place uint32 // in the table
	best  []Near // of the looks before
}

// NewSurvey begins a survey of a rule. It costs nothing until it looks.
func (m *Memory) NewSurvey(r Rule) *Survey { return &Survey{m: m, rule: r} }

// Look returns the most keys that are nearest to their limit at now (ns), the
// nearest first, and how many keys it has looked at. It holds one lock at a time,
// for a few µs.
func (s *Survey) Look(now int64, most int) (list []Near, looked int64) {
	var best []Near
	for _, n := range s.best {
		if fresh, ok := s.again(n.ID, now); ok {
			best = append(best, fresh)
		}
	}
	known := make(map[digest.ID]bool, len(best))
	for _, n := range best {
		known[n.ID] = true
	}
	keep := func(n Near) {
		looked++
		if n.Used == 0 || known[n.ID] {
			return
		}
		if best = append(best, n); len(best) >= 8*most {
			best = nearest(best, most)
		}
	}
	first := s.shard
	for i := range surveyPieces {
		if s.piece(now, keep) && s.shard == first {
			break // once around
		}
		if i%8 == 7 {
			runtime.Gosched() // on a single busy core requests go first
		}
	}
	s.best = nearest(best, most)
	return slices.Clone(s.best), looked
}

// piece looks at the next few keys of a shard. It reports whether the shard is
// through.
func (s *Survey) piece(now int64, keep func(n Near)) (through bool) {
	shard := &s.m.stores[s.rule].shards[s.shard]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	now = max(now, shard.latest)
	if t := shard.live.at(s.table); t != nil {
		s.place = t.Walk(s.place, surveySteps, now, keep)
		if s.place > 0 {
			return false
		}
		s.table++
	}
	if shard.live.at(s.table) != nil {
		return false
	}
	s.table, s.shard = 0, (s.shard+1)%len(s.m.stores[s.rule].shards)
	return true
}

// at is the i-th of the tables in use; nil behind the last.
func (t *tables) at(i int) (found *window.Table) {
	for one := range t.all {
		if i--; i < 0 {
			return one
		}
	}
	return nil
}

// again looks up a key that was near before.
func (s *Survey) again(id digest.ID, now int64) (n Near, ok bool) {
	shard := s.m.shard(s.rule, id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for t := range shard.live.all {
		if n, ok = t.Stands(id, max(now, shard.latest)); ok && n.Used > 0 {
			return n, true
		}
	}
	return Near{}, false
}

// nearest sorts by the share of the limit that is used, and for equal shares by
// what takes longest to come free; the rest is for a steady order.
func nearest(list []Near, most int) []Near {
	slices.SortFunc(list, func(a, b Near) int {
		return cmp.Or(
			cmp.Compare(b.Used*a.Limit, a.Used*b.Limit), cmp.Compare(b.Limit, a.Limit),
			cmp.Compare(a.ID.Hi, b.ID.Hi), cmp.Compare(a.ID.Lo, b.ID.Lo))
	})
	return list[:min(most, len(list))]
}
