// Package limiter decides whether a request stays within the limits of its
// client's address and of its API key. It takes keys, limits and a time, and
// returns a decision; it knows nothing of HTTP, configuration files or clocks.
//
// # The promise
//
// There is no instant at which the trailing window of a key holds more admitted
// requests than its limit, and no request is refused while it holds fewer. The
// window is half-open: with 20 per second, a request exactly one second after
// the oldest of 20 is admitted. Only admitted requests count, so a client that
// keeps trying is never locked out for it. Both rules are decided in one step: a
// request that one refuses costs the other nothing.
//
// The way there is the plain one, a log of the times that were admitted
// (package window), not a counter that estimates. Keys are cut into shards with a
// lock each; a decision holds at most two, taken in one order.
package limiter

import (
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// Rule names a request limit.
type Rule uint8

// PerIP counts by client address, PerKey by API key or user.
const (
	PerIP Rule = iota
	PerKey
	ruleCount
)

// String is the rule's name in metrics, headers and logs.
func (r Rule) String() string { return [ruleCount]string{"per_ip", "per_key"}[r] }

// Limit is how many requests a key may make. The zero value is no limit.
type Limit struct {
	Requests int           // admitted in any window; 0 when the rule does not apply
	Window   time.Duration // sliding and half-open
	Shadow   bool          // count and measure, but refuse nothing
	// Candidate is a limit to try beside this one, which refuses nothing; nil for
	// none. It has no candidate of its own.
	Candidate *Limit
}

// Trial is what a candidate makes of a request that the limits admitted. One
// that they refused counts for no candidate.
type Trial uint8

// NotTried: there is no candidate, or the request was refused. WouldAdmit: it
// counts for the candidate. WouldRefuse: it does not.
const (
	NotTried Trial = iota
	WouldAdmit
	WouldRefuse
)

// Candidate is the name of the rule's candidate in metrics and logs.
func (r Rule) Candidate() string { return [ruleCount]string{"per_ip_shadow", "per_key_shadow"}[r] }

// Hit is what one rule counts a request by.
type Hit struct {
	ID    digest.ID
	Limit Limit
}

// State is how a key stands with one rule after a decision.
type State struct {
	Limit Limit         // the zero value when the rule did not apply
	Used  int           // requests in the window, this one included when it was admitted
	Over  bool          // the rule refused the request, or would have in shadow mode
	Wait  time.Duration // until one more request can be admitted; 0 when it can be now
	Reset time.Duration // until the oldest request in the window leaves it
}

// Decision is what the limits make of one request.
type Decision struct {
	Admitted bool
	Refused  Rule  // which rule refused; meaningful only when not admitted
	At       int64 // the time at which it was decided, ns
	States   [ruleCount]State
	Trials   [ruleCount]Trial

	// Unavailable says that nobody could decide, and that the configuration then
	// refuses. No rule is to blame, and nothing was counted.
	Unavailable bool
}

// Store keeps the counts of request limits. Memory is one; a store that several
// gateways share decides by its own clock and ignores now. It is safe for
// concurrent use.
type Store interface {
	// Take decides one request and counts it if it is admitted, in one step for
	// both rules. A hit without a limit is not looked at.
	Take(now int64, ip, key Hit) Decision
}
