// Package rehearse walks requests through the rules in virtual time: no
// listener, no upstream, no clock. What a request would have met is decided by
// the rooms that decide it live (identity, limiter, loopguard, and the values
// half of proxy), so an answer here is the answer that the gateway gives.
//
// It plays two kinds of play. A Suite is written by hand: requests on a timeline
// and what is expected of each (`gateway test`). A log is what really happened:
// its lines are replayed through another configuration (`gateway simulate`).
//
// It knows nothing of YAML, of files or of terminals.
package rehearse

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
	"github.com/chatshipper/gateway/proxy"
)

// House is the rules of one configuration, compiled, with the counts of one
// rehearsal. It is not safe for concurrent use.
type House struct {
	cfg       proxy.Config
	hasher    *digest.Hasher
	directory *identity.Directory
	methods   *proxy.MethodRules
	limits    *limiter.Rules
	guard     *loopguard.Rules
	reader    *loopguard.Reader

	requests *limiter.Memory
	messages *loopguard.Memory
	scratch  identity.Scratch
	batch    loopguard.Batch
	held     loopguard.Reservation
	serial   uint64 // of messages whose content a log does not tell
}

// New compiles a configuration. Nothing is fetched: with identity.jwt.jwks_url
// tokens are read but not verified. Errors mean that a file or a value of the
// configuration can't be used.
func New(cfg proxy.Config) (*House, error) {
	cfg.Identity.JWT.JWKSURL = ""
	h := &House{cfg: cfg, hasher: digest.NewHasher("rehearsal"), methods: proxy.CompileMethods(cfg.Methods)}
	var err error
	if h.limits, err = limiter.Compile(cfg.Limits, h.hasher); err != nil {
		return nil, fmt.Errorf("cannot use limits: %w", err)
	}
	if h.directory, err = identity.New(cfg.Identity, h.hasher); err != nil {
		return nil, fmt.Errorf("cannot use identity: %w", err)
	}
	h.guard, h.reader = loopguard.Compile(cfg.LoopGuard), loopguard.NewReader(cfg.LoopGuard, h.hasher)
	h.Forget()
	return h, nil
}

// Forget empties every count.
func (h *House) Forget() {
	h.requests = limiter.NewMemory(h.cfg.MemoryBytes / 2)
	h.messages = loopguard.NewMemory(h.cfg.MemoryBytes / 2)
	h.held = loopguard.Reservation{}
}

// Close gives back what the configuration holds.
func (h *House) Close() { h.directory.Close() }

// Fate is what the upstream makes of a request.
type Fate struct {
	Status  int  // of its answer; 0 when there is none
	Reached bool // without an answer: the request may have taken effect
}

// Request is one request as values.
type Request struct {
	Client netip.Addr // zero: not known, and not limited
	Key    string     // bearer token; empty: none
	User   string     // the user's id, as if the key had been verified; empty: what the key says
	Role   string     // bot, human or nobody; empty: what the configuration and the key say
	Method string
	Target string // path and query
	Body   []byte
	Fate   Fate
	Answer []byte // body of the upstream's answer: where embedded messages went
}

// Counter is how one rule stands to a request after its decision.
type Counter struct {
	Rule   string
	Used   int
	Limit  int
	Window time.Duration
	Shadow bool
	Wait   time.Duration // until it would admit the request again; 0 when it does
	Over   bool
}

// String is the counter in words, such as `per_ip 20 of 20 in 1s`.
func (c Counter) String() string {
	text := fmt.Sprintf("%s %d of %d in %s", c.Rule, c.Used, c.Limit, c.Window)
	if c.Shadow {
		text += " (shadow)"
	}
	if c.Over {
		text += fmt.Sprintf(", free in %s", c.Wait)
	}
	return text
}

// Answer is what became of a request.
type Answer struct {
	Status     int
	Code       string // of an answer of the gateway's own
	Rule       string // that refused, or would have in shadow mode
	Decision   string // admitted, refused or would_refuse
	Shadow     string // the candidate that would have refused
	RetryAfter int    // seconds; 0 when the answer has none
	Message    string // of an answer of the gateway's own
	Counters   []Counter
}

// The decisions, as metrics and logs name them.
const (
	Admitted    = "admitted"
	Refused     = "refused"
	WouldRefuse = "would_refuse"
)

// refuse turns an error of ours into the answer.
func (a *Answer) refuse(e apierror.Error) {
	a.Status, a.Code, a.RetryAfter = e.HTTPStatus(), e.Code.String(), e.RetryAfter
	a.Message = string(e.AppendMessage(nil))
	if rule := e.Code.Policy(); rule != "" {
		a.Rule, a.Decision = rule, Refused
	}
}
