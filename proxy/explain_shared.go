package proxy

import (
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// requestStandings looks where requests are counted.
func (a *asked) requestStandings(rule limiter.Rule, hit limiter.Hit) (live, candidate limiter.Standing) {
	shared := a.g.stores.Shared
	if shared == nil {
		return a.g.stores.OwnRequests.Look(a.now, rule, hit)
	}
	live, candidate, err := shared.LookRequests(a.now, rule, hit)
	a.doubt(err)
	return live, candidate
}

// messageStandings looks where messages are counted.
func (a *asked) messageStandings(from loopguard.Sender, message loopguard.Message) []loopguard.Standing {
	shared := a.g.stores.Shared
	if shared == nil {
		return a.g.stores.OwnMessages.Look(a.now, a.rules.guard, from, message)
	}
	list, err := shared.LookMessages(a.now, a.rules.guard, from, message)
	a.doubt(err)
	return list
}

// doubt says once why counts are not those of all gateways.
func (a *asked) doubt(err error) {
	if err != nil && !a.doubted {
		a.doubted = true
		a.note("%s", err)
	}
}
