package admin

import (
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// quiet is how long a line about wrong tokens stands for all that follow.
const quiet = 10 * time.Second

// intruders counts those who come with a wrong token.
type intruders struct {
	mu     sync.Mutex
	noted  time.Time
	unsaid int // attempts that no line has told of
}

// another counts one more, and returns how many a line must tell of now: none while
// the last one is fresh, so that nobody fills the log by guessing.
func (i *intruders) another(now time.Time) (attempts int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.unsaid++
	if !i.noted.IsZero() && now.Sub(i.noted) < quiet {
		return 0
	}
	attempts, i.noted, i.unsaid = i.unsaid, now, 0
	return attempts
}

// noteIntruder leaves an audit line about a wrong token. Whoever brings none is no
// intruder: browsers and probes ask so first.
func (s *Server) noteIntruder(r *http.Request) {
	if len(r.Header.Values("Authorization")) == 0 {
		return
	}
	if n := s.intruders.another(time.Now()); n > 0 {
		s.audit(r, "access", "refused", slog.Int("attempts", n))
	}
}
