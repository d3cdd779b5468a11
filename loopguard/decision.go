package loopguard

import "time"

// Decision is what the guard says to one request's messages.
type Decision struct {
	Admitted bool
	Refused  Rule // when not admitted: the rule that refused, of two the one with the longer wait
	States   [RuleCount]State
	Trials   [RuleCount]Trial // what the candidates make of messages that were admitted

	// When not admitted, of the rule that refused:
	Limit   Limit
	Used    int
	Wait    time.Duration
	TooMany bool

	// Unavailable says that nobody could decide, and that the configuration then
	// refuses. No rule is to blame, and nothing was counted.
	Unavailable bool
}

// Trial is what a candidate makes of messages that the limits admitted. Those
// that they refused count for no candidate.
type Trial uint8

// NotTried: there is no candidate, or the messages were refused. WouldAdmit: they
// count for the candidate. WouldRefuse: they do not.
const (
	NotTried Trial = iota
	WouldAdmit
	WouldRefuse
)

// State is how one rule stands to a request, where it is nearest to its limit: a
// batch may go to several conversations and repeat several texts.
type State struct {
	Limit    Limit         // Messages is 0 when the rule is off
	Used     int           // messages that count, after the decision; not looked up where the consecutive rule says TooMany
	Over     bool          // the rule refused, or in shadow mode would have
	Near     bool          // admitted, and at 80 % of the limit or more
	Detected bool          // Over, and a conversation became blocked: its first refusal since something was admitted
	TooMany  bool          // Over, and no wait helps: the batch alone is larger than the limit
	Wait     time.Duration // Over: until the whole batch could be admitted; 0 when TooMany
	Reset    time.Duration // until the first of what counts leaves the window; 0 when nothing counts
}

// isWorse reports whether s is nearer to its limit than t, or further beyond it.
func (s *State) isWorse(t *State) bool {
	switch {
	case s.Over != t.Over:
		return s.Over
	case s.TooMany != t.TooMany:
		return s.TooMany
	case s.Over:
		return s.Wait > t.Wait
	}
	return s.Used > t.Used
}

// add takes the state of one more conversation or text into account.
func (s *State) add(t *State) {
	detected := s.Detected || t.Detected
	if t.isWorse(s) {
		*s = *t
	}
	s.Detected = detected
}

// refuses reports whether the rule is both over its limit and enforced.
func (s *State) refuses() bool { return s.Over && !s.Limit.Shadow }

// decide makes the decision that the states of rules and candidates amount to.
func decide(states *[LimitCount]State) Decision {
	d := Decision{Admitted: true, States: [RuleCount]State(states[:RuleCount])}
	for rule := range d.States {
		s := &states[rule]
		if !s.refuses() || (!d.Admitted && !s.isWorse(&states[d.Refused])) {
			continue
		}
		d.Admitted, d.Refused = false, Rule(rule)
		d.Limit, d.Used, d.Wait, d.TooMany = s.Limit, s.Used, s.Wait, s.TooMany
	}
	for rule := range d.Trials {
		switch s := &states[Rule(rule).candidate()]; {
		case !d.Admitted || s.Limit.isOff():
		case s.Over:
			d.Trials[rule] = WouldRefuse
		default:
			d.Trials[rule] = WouldAdmit
		}
	}
	return d
}
