package proxy

import (
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// What candidates, the limits that are tried beside those in force, make of a
// request. None of it changes its answer.

// countTrials counts what the candidates beside the request limits would do.
func (m *metrics) countTrials(trials [2]limiter.Trial) {
	for rule, trial := range trials {
		switch trial {
		case limiter.WouldAdmit:
			m.trials[rule][admitted].Inc()
		case limiter.WouldRefuse:
			m.trials[rule][wouldRefuse].Inc()
		}
	}
}

// countMessageTrials does the same for the message limits.
func (m *metrics) countMessageTrials(trials [2]loopguard.Trial) {
	for rule, trial := range trials {
		switch trial {
		case loopguard.WouldAdmit:
			m.messageTrials[rule][admitted].Inc()
		case loopguard.WouldRefuse:
			m.messageTrials[rule][wouldRefuse].Inc()
		}
	}
}

// candidate names the candidate that would have refused the request; empty for
// none.
func (x *exchange) candidate() string {
	for rule, trial := range x.decision.Trials {
		if x.limited && trial == limiter.WouldRefuse {
			return limiter.Rule(rule).Candidate()
		}
	}
	for rule, trial := range x.verdict.Trials {
		if x.judged && trial == loopguard.WouldRefuse {
			return loopguard.Rule(rule).Candidate()
		}
	}
	return ""
}
