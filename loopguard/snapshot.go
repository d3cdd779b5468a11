package loopguard

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/window"
)

// errSnapshot says that bytes are none that AppendShard wrote.
var errSnapshot = errors.New("cannot read a snapshot of message limits: it is malformed")

// mostShards is how many there were in earlier versions: a multiple of what there are
// now, so that each has become part of one.
const mostShards = 64

// ShardCount is how many shards AppendShard can be asked for.
const ShardCount = shardCount

// What a record of a snapshot is about. Tables come as three kinds for each rule.
const (
	recordWindows = iota
	recordReply
	recordPardon
	recordTable // and from here on: kind*LimitCount + limit
	kinds       = 3
)

// AppendShard appends all that one shard remembers at now, so that a store can be
// written down piece by piece: requests of no other shard wait meanwhile.
//
// A record begins with what it is about and the shard (1 byte each). The windows
// of all limits come first (8 bytes each, ns), because they say how long the
// times that follow are kept.
func (m *Memory) AppendShard(dst []byte, i int, now int64) []byte {
	return m.shards[i].append(dst, byte(i), now)
}

func (s *shard) append(dst []byte, number byte, now int64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.landAll()
	now = max(now, s.now)
	dst = append(dst, recordWindows, number)
	for _, w := range s.windows {
		dst = binary.BigEndian.AppendUint64(dst, uint64(w))
	}
	for rule := range s.counts {
		for kind, t := range s.counts[rule].tables() {
			t.Each(now, func(id digest.ID, times []int64) {
				dst = append(dst, byte(recordTable+kind*LimitCount+rule), number)
				dst = window.AppendTimes(id.Append(dst), times)
			})
		}
	}
	dst = s.replies.append(dst, recordReply, number)
	return s.pardons.append(dst, recordPardon, number)
}

func (r *replies) append(dst []byte, record, shard byte) []byte {
	for i := range r.slots {
		if s := &r.slots[i]; !s.conversation.IsZero() {
			dst = s.author.Append(s.conversation.Append(append(dst, record, shard)))
			dst = binary.BigEndian.AppendUint64(dst, uint64(s.newest))
			dst = binary.BigEndian.AppendUint64(dst, uint64(s.other))
		}
	}
	return dst
}

// tables are those of a limit by kind. Those of a candidate that never was are empty.
func (c *counts) tables() [kinds]*window.Table {
	return [kinds]*window.Table{&c.confirmed, &c.unsettled, &c.blocked}
}

// Restore remembers again what shards of a store, maybe of another process, had
// remembered. Times later than now are taken for now. What was in flight then
// goes on counting for its token: nobody knows any more what became of it.
func (m *Memory) Restore(data []byte, now int64) error {
	for len(data) > 0 {
		if len(data) < 18 || data[1] >= mostShards {
			return errSnapshot
		}
		record, s := int(data[0]), &m.shards[data[1]%shardCount]
		var ok bool
		if data, ok = m.restore(s, record, data[2:], now); !ok {
			return errSnapshot
		}
	}
	return nil
}

// restore reads one record of a shard, and returns what follows it.
func (m *Memory) restore(s *shard, record int, data []byte, now int64) (rest []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case record == recordWindows:
		return m.restoreWindows(s, data, now)
	case record == recordReply:
		return s.replies.restore(data, now, int64(s.longest()))
	case record == recordPardon:
		return s.pardons.restore(data, now, int64(maxWindow))
	case record >= recordTable+kinds*LimitCount || len(data) < 16:
		return nil, false
	}
	id := digest.IDOf(data)
	times, rest, ok := window.ReadTimes(data[16:])
	kind, rule := (record-recordTable)/LimitCount, (record-recordTable)%LimitCount
	t := s.counts[rule].tables()[kind]
	if t.Window() == 0 {
		return nil, false
	}
	s.counts[rule].refused = true
	for _, at := range times {
		t.Add(id, min(at, now), len(times), now)
	}
	return rest, ok
}

func (m *Memory) restoreWindows(s *shard, data []byte, now int64) (rest []byte, ok bool) {
	var past Rules // of serial 0: the next request's are newer
	if len(data) < 8*LimitCount {
		return nil, false
	}
	for rule := range past.limits {
		w := time.Duration(binary.BigEndian.Uint64(data[8*rule:]))
		if (w != 0 || rule < RuleCount) && (w < minWindow || w > maxWindow) {
			return nil, false
		}
		past.limits[rule].Window = max(w, s.windows[rule]) // of whatever was restored before
	}
	s.latest, s.now = max(s.latest, now), max(s.now, now)
	m.adopt(s, &past)
	return data[8*LimitCount:], true
}

func (r *replies) restore(data []byte, now, window int64) (rest []byte, ok bool) {
	const size = 16 + 16 + 8 + 8
	if len(data) < size {
		return nil, false
	}
	conversation, author := digest.IDOf(data), digest.IDOf(data[16:])
	newest, other := int64(binary.BigEndian.Uint64(data[32:])), int64(binary.BigEndian.Uint64(data[40:]))
	expired := now - window
	if other != never && !author.IsZero() {
		r.add(conversation, digest.ID{}, min(other, now), expired)
	}
	r.add(conversation, author, min(newest, now), expired)
	return data[size:], true
}
