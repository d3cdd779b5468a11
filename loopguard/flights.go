package loopguard

import "github.com/chatshipper/gateway/internal/digest"

// mostFlights is how many messages a shard has in flight without a place in a table.
const mostFlights = 16

// flights are messages that went upstream a moment ago, most of which are settled a
// moment later: a short list, so that they need no place in the tables of what is
// unsettled, which counts against a budget that all shards share. Whoever has to count
// some of them, or write all down, has them land in the tables first. One whose outcome
// nobody learns lands when the list is full.
type flights struct {
	list [mostFlights]flight
	n    int
}

type flight struct {
	id   digest.ID // of the hold and its token
	at   int64
	size int // of the limit
	rule Rule
}

// start puts a message in flight.
func (s *shard) start(f flight) {
	if s.flying.n == mostFlights {
		s.land(0)
	}
	s.flying.list[s.flying.n] = f
	s.flying.n++
}

// end takes a message out of the list. It reports whether it was there.
func (s *shard) end(rule Rule, id digest.ID, at int64) bool {
	for i := range s.flying.n {
		if f := &s.flying.list[i]; f.id == id && f.rule == rule && f.at == at {
			s.flying.drop(i)
			return true
		}
	}
	return false
}

// landAllOf moves to the tables what is in flight under one key of a rule.
func (s *shard) landAllOf(rule Rule, id digest.ID) {
	for i := s.flying.n - 1; i >= 0; i-- {
		if f := &s.flying.list[i]; f.id == id && f.rule == rule {
			s.land(i)
		}
	}
}

// landAll moves to the tables all that is in flight.
func (s *shard) landAll() {
	for s.flying.n > 0 {
		s.land(0)
	}
}

func (s *shard) land(i int) {
	f := &s.flying.list[i]
	s.counts[f.rule].unsettled.Add(f.id, f.at, f.size, s.now)
	s.flying.drop(i)
}

func (f *flights) drop(i int) {
	f.n--
	f.list[i] = f.list[f.n]
}

// of is how many there are of a rule and of its candidate.
func (f *flights) of(rule Rule) (n int64) {
	for i := range f.n {
		if f.list[i].rule.live() == rule {
			n++
		}
	}
	return n
}
