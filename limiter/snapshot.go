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

// ShardCount is how many shards AppendShard can be asked for.
const ShardCount = int(ruleCount) * shardCount

// AppendShard appends what one shard counts at now, so that a store can be
// written down piece by piece: requests of no other shard wait meanwhile.
//
// A key is its rule, or that of its candidate (1 byte), the window in ns (8), the digest (16) and the times.
func (m *Memory) AppendShard(dst []byte, i int, now int64) []byte {
	rule := Rule(i / shardCount)
	s := &m.stores[rule].shards[i%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	now = max(now, s.latest)
	dst = appendTables(dst, byte(rule), s.tables, now)
	return appendTables(dst, byte(rule+ruleCount), s.candidates, now)
}

func appendTables(dst []byte, kind byte, tables []table, now int64) []byte {
	for _, t := range tables {
		t.Each(now, func(id digest.ID, times []int64) {
			dst = binary.BigEndian.AppendUint64(append(dst, kind), uint64(t.window))
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
	s := m.stores[rule].shard(id, m.seed)
	s.mu.Lock()
	defer s.mu.Unlock()
	tables := &s.tables
	if kind != rule {
		tables = &s.candidates
	}
	t := tableFor(tables, id, &limit, m.stores[rule].budget, now)
	for _, at := range times {
		t.Add(id, min(at, now), len(times), now)
	}
}
