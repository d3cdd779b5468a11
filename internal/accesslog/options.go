package accesslog

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/chatshipper/gateway/internal/digest"
)

// maxCallers bounds how many callers' refusals are told apart within a minute.
// Those of further callers are sampled like everything else.
const maxCallers = 10_000

// refusedDecision is that of a request that a rule refused.
const refusedDecision = "refused"

// Options says which requests get a line, and what may stand in it. The zero
// value gives every request a line, without its address. Whatever they are, an
// answer of 500 or more gets one.
type Options struct {
	OneIn    int  // of those that were not refused, one in so many; 0 and 1 mean all
	Refusals int  // lines for the refusals of one caller in one minute; 0 means all
	ClientIP bool // write the client's address in clear
}

// sampler chooses the requests that get a line.
type sampler struct {
	Options
	others atomic.Uint64 // requests that were sampled by OneIn

	mu     sync.Mutex
	minute int64 // that refusals are counted in, since 1970
	counts map[digest.ID]int
}

func newSampler(o Options) *sampler {
	s := &sampler{Options: o}
	if o.Refusals > 0 {
		s.counts = make(map[digest.ID]int)
	}
	return s
}

// choose reports whether a request gets a line, and how many requests the line
// stands for: 0 when it stands for itself.
func (s *sampler) choose(e *Entry) (chosen bool, oneIn int) {
	if e.Status >= http.StatusInternalServerError {
		return true, 0
	}
	if e.Decision == refusedDecision {
		if s.Refusals == 0 {
			return true, 0
		}
		if n := s.count(e); n > 0 {
			return n <= s.Refusals, 0
		}
	}
	if s.OneIn <= 1 {
		return true, 0
	}
	return (s.others.Add(1)-1)%uint64(s.OneIn) == 0, s.OneIn
}

// count returns which refusal of its caller in this minute an entry is; 0 when
// there are too many callers to say.
func (s *sampler) count(e *Entry) int {
	caller := e.Key
	if caller.IsZero() {
		caller = e.IP
	}
	const minute = int64(60e9)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := e.Time / minute; now != s.minute {
		s.minute = now
		clear(s.counts)
	}
	n, known := s.counts[caller]
	if !known && len(s.counts) >= maxCallers {
		return 0
	}
	s.counts[caller] = n + 1
	return n + 1
}

// Configure changes the options for the requests that come from now on.
func (l *Log) Configure(o Options) { l.sampler.Store(newSampler(o)) }

// Skipped returns how many requests got no line because of the options.
func (l *Log) Skipped() uint64 { return l.skipped.Load() }
