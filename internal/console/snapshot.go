package console

import (
	"bytes"
	"encoding/json"
	"runtime"
	"slices"
	"time"
)

// snapshot is all tables and logs at one time, encoded.
type snapshot struct {
	at     time.Time
	tables map[string]json.RawMessage
	logs   map[string]json.RawMessage
	last   map[string]uint64 // numbers of the last entries
}

// message is what goes over the stream, and what an overview is.
type message struct {
	At     time.Time                  `json:"at"`
	Points []json.RawMessage          `json:"points"`
	Tables map[string]json.RawMessage `json:"tables"`
	Logs   map[string]json.RawMessage `json:"logs"`
}

// encode makes JSON of what a source shows.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: the console can't show what is no JSON: " + err.Error())
	}
	return b
}

// read asks the source for everything.
func (c *Console) read(now time.Time) *snapshot {
	s := &snapshot{at: now, tables: make(map[string]json.RawMessage), logs: make(map[string]json.RawMessage), last: make(map[string]uint64)}
	for _, t := range c.src.Tables {
		s.tables[t.Name] = encode(t.Read())
	}
	for _, l := range c.src.Logs {
		entries, last := l.Read(0)
		s.logs[l.Name], s.last[l.Name] = listOf(entries), last
	}
	return s
}

// listOf is an empty list where there are no entries.
func listOf(entries any) json.RawMessage {
	if entries == nil {
		return json.RawMessage("[]")
	}
	return encode(entries)
}

// full is everything as it was at most a second ago.
func (c *Console) full(now time.Time) *snapshot {
	c.mu.Lock()
	c.look(now)
	c.mu.Unlock()
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.latest == nil || now.Sub(c.latest.at) >= interval {
		c.latest = c.read(now)
	}
	return c.latest
}

// overview is everything, with the last points.
func (c *Console) overview(now time.Time, points int) []byte {
	s := c.full(now)
	c.mu.Lock()
	last := slices.Clone(c.points[max(0, len(c.points)-points):])
	c.mu.Unlock()
	if last == nil {
		last = []json.RawMessage{}
	}
	return encode(message{s.at.UTC(), last, s.tables, s.logs})
}

// frame is one point, the tables that are not as in the last frame, and the
// entries of logs that came since.
func (c *Console) frame(now time.Time, point json.RawMessage) []byte {
	c.reading.Lock()
	defer c.reading.Unlock()
	before := c.sent
	if before == nil {
		before = &snapshot{}
	}
	s := &snapshot{at: now, tables: make(map[string]json.RawMessage), last: make(map[string]uint64)}
	m := message{At: now.UTC(), Points: []json.RawMessage{point}, Tables: make(map[string]json.RawMessage), Logs: make(map[string]json.RawMessage)}
	for _, t := range c.src.Tables {
		runtime.Gosched() // on a single busy core requests go first
		s.tables[t.Name] = encode(t.Read())
		if !bytes.Equal(s.tables[t.Name], before.tables[t.Name]) {
			m.Tables[t.Name] = s.tables[t.Name]
		}
	}
	for _, l := range c.src.Logs {
		entries, last := l.Read(before.last[l.Name])
		if s.last[l.Name] = max(last, before.last[l.Name]); entries != nil {
			m.Logs[l.Name] = encode(entries)
		}
	}
	c.sent = s
	return encode(m)
}
