package limiter

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/window"
)

// errSnapshot says that bytes are none that AppendShard wrote.
var errSnapshot = errors.New("cannot read a snapshot of request limits: it is malformed")

// Shards is how many shards AppendShard can be asked for.
func (m *Memory) Shards() int { return int(ruleCount) * len(m.stores[0].shards) }

// AppendShard appends what one shard counts at now, so that a store can be
// written down piece by piece: requests of no other shard wait meanwhile.
//
// A key is its rule, or that of its candidate (1 byte), the window in ns (8), the digest (16) and the times.
func (m *Memory) AppendShard(dst []byte, i int, now int64) []byte {
	count := len(m.stores[0].shards)
	rule := Rule(i / count)
	s := &m.stores[rule].shards[i%count]
	s.mu.Lock()
	defer s.mu.Unlock()
	now = max(now, s.latest)
	dst = s.live.append(dst, byte(rule), now)
	return s.candidates.append(dst, byte(rule+ruleCount), now)
}

func (t *tables) append(dst []byte, kind byte, now int64) []byte {
	for one := range t.all {
		one.Each(now, func(id digest.ID, times []int64) {
			dst = binary.BigEndian.AppendUint64(append(dst, kind), uint64(one.Window()))
			dst = window.AppendTimes(id.Append(dst), times)
		})
	}
	return dst
}

// Restore counts again what shards of a store, maybe of another process, had
// counted. Times later than now are taken for now.
func (m *Memory) Restore(data []byte, now int64) error {
	for len(data) > 0 {
		if len(data) < 25 || data[0] >= byte(2*ruleCount) {
			return errSnapshot
		}
		rule, span := Rule(data[0]), time.Duration(binary.BigEndian.Uint64(data[1:]))
		id := digest.IDOf(data[9:])
		times, rest, ok := window.ReadTimes(data[25:])
		if !ok || span <= 0 {
			return errSnapshot
		}
		data = rest
		m.restore(rule, id, Limit{Requests: len(times), Window: span}, times, now)
	}
	return nil
}

// restore counts times of a rule, or of its candidate.
func (m *Memory) restore(kind Rule, id digest.ID, limit Limit, times []int64, now int64) {
	rule := kind % ruleCount
	s := m.shard(rule, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	where := &s.live
	if kind != rule {
		where = &s.candidates
	}
	t := where.of(id, &limit, m.stores[rule].budget, now)
	for _, at := range times {
		t.Add(id, min(at, now), len(times), now)
	}
}
