package rehearse

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/chatshipper/gateway/internal/topk"
)

const (
	readAhead  = 1 << 20
	longest    = 64 << 10 // bytes of a line; ours have about 500
	batchLines = 2048     // that are judged together
	places     = 1024     // of each list of the most refused; its error is at most a thousandth of all refusals
)

// Simulation replays the lines of access logs through one configuration, or two
// to see where they differ. What it remembers is bounded, however long the logs
// are: the counts by store.memory.max_bytes of each configuration.
type Simulation struct {
	houses []*House
	parser parser
	queue  queue
	batch  []Line // in order, to be judged

	Lines, Malformed, Foreign uint64
	Judged                    uint64
	first, last               int64
	messages                  uint64 // lines with messages of a bot
	arrays                    uint64 // of them, those with several, whose contents are not known
	logged                    [ruleNames]uint64
	sides                     []side
	changed                   [ruleNames][ruleNames]uint64 // by the rule of the second, of the first
	worse, better             *topk.Sketch[culprit]        // refused by the first only, by the second only
}

// side is what one configuration made of the lines.
type side struct {
	refused, would [ruleNames]uint64
	tried          [ruleNames]uint64
	top            *topk.Sketch[culprit]
	verdicts       []verdict // of the batch
}

// NewSimulation begins a simulation of one configuration, or of a first one
// against a second. The houses must be new.
func NewSimulation(houses ...*House) *Simulation {
	if len(houses) < 1 || len(houses) > 2 {
		panic("BUG: a simulation is of one configuration or two")
	}
	sketch := func() *topk.Sketch[culprit] { return topk.New(places, compareCulprits) }
	s := &Simulation{houses: houses, worse: sketch(), better: sketch(), first: math.MaxInt64}
	for range houses {
		s.sides = append(s.sides, side{top: sketch()})
	}
	s.parser.exempt = s.exempt
	return s
}

func compareCulprits(a, b culprit) int {
	return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.a, b.a), cmp.Compare(a.b, b.b))
}

// exempt has a bit for each house that never limits a path.
func (s *Simulation) exempt(path []byte) (bits uint8) {
	for i, h := range s.houses {
		if h.limits.ExemptPath(path) {
			bits |= 1 << i
		}
	}
	return bits
}

// Read replays a log. progress is called every few thousand lines and at the end; it may be nil.
// Several logs are read in the order of their times. Errors are those of reading.
func (s *Simulation) Read(r io.Reader, progress func()) error {
	in := bufio.NewReaderSize(r, readAhead)
	for {
		text, err := in.ReadSlice('\n')
		if len(text) > 0 {
			s.line(text, err)
		}
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a line that is longer than all
			_, err = in.ReadSlice('\n')
		}
		if progress != nil && (s.Lines%4096 == 0 || err != nil) {
			progress()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read the log: %w", err)
		}
	}
}

// line takes one line of text, its end included.
func (s *Simulation) line(text []byte, err error) {
	s.Lines++
	if errors.Is(err, bufio.ErrBufferFull) || len(text) > longest {
		s.Malformed++
		return
	}
	if n := len(text); text[n-1] == '\n' {
		text = text[:n-1]
	}
	var l Line
	switch s.parser.parse(text, &l) {
	case malformed:
		s.Malformed++
	case foreign:
		s.Foreign++
	default:
		s.queue.push(&l, s.take)
	}
}

// End judges what was held back. Nothing may be read after it.
func (s *Simulation) End() {
	s.queue.drain(s.take)
	s.judge()
}

// take gathers lines, in their turn, for the houses to judge together.
func (s *Simulation) take(l *Line) {
	if s.batch = append(s.batch, *l); len(s.batch) == batchLines {
		s.judge()
	}
}

// judge replays the gathered lines through every house, each on a core of its
// own: the houses share nothing.
func (s *Simulation) judge() {
	var wg sync.WaitGroup
	for i := range s.houses[1:] {
		wg.Go(func() { s.replay(i + 1) })
	}
	s.replay(0)
	wg.Wait()
	for i := range s.batch {
		s.count(&s.batch[i])
		if len(s.houses) == 2 {
			s.compare(&s.batch[i], s.sides[0].verdicts[i].refused, s.sides[1].verdicts[i].refused)
		}
	}
	s.batch = s.batch[:0]
}

// replay replays the gathered lines through one house.
func (s *Simulation) replay(house int) {
	h, side := s.houses[house], &s.sides[house]
	side.verdicts = side.verdicts[:0]
	for i := range s.batch {
		l := &s.batch[i]
		v := h.replay(l, 1<<house)
		side.verdicts = append(side.verdicts, v)
		side.refused[v.refused]++
		side.would[v.would]++
		side.tried[v.tried]++
		if v.refused != nobody {
			side.top.Add(h.culprit(l, v.refused))
		}
	}
}

// count notes what a line tells by itself.
func (s *Simulation) count(l *Line) {
	s.Judged++
	s.first, s.last = min(s.first, l.Time), max(s.last, l.Time)
	s.logged[l.refused]++
	if l.messages > 0 && l.fromBot {
		s.messages++
		if l.messages > 1 {
			s.arrays++
		}
	}
}

func (s *Simulation) compare(l *Line, first, second ruleName) {
	if first == second {
		return
	}
	s.changed[second][first]++
	switch {
	case second == nobody:
		s.worse.Add(s.houses[0].culprit(l, first))
	case first == nobody:
		s.better.Add(s.houses[1].culprit(l, second))
	}
}
