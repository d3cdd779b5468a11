package proxy

import "github.com/chatshipper/gateway/internal/identity"

// identify finds the client's address and whose API key it is. A key that is
// missing or refused is remembered for authenticate, because such a request
// still counts against the request limits.
func (x *exchange) identify() bool {
	x.client = x.rules.trusted.client(x.peer, &x.fields)
	x.lookUp()
	return true
}

func (x *exchange) lookUp() {
	x.identity.Waiter, x.identity.WithSHA256 = x.conn.Task(), x.rules.limits.NamesKeys()
	x.who, x.rejection = x.rules.directory.Who(x.caller, x.now+x.g.date.second(x.now, &x.g.clock).ahead, &x.identity)
}

// authenticate answers 401 for a missing key, when one is demanded, and for a
// token that the gateway itself was told to verify. The token route is the
// upstream's own affair: the SDK goes there with the stale token attached.
func (x *exchange) authenticate() bool {
	if x.rejection == identity.None || x.routed.route == routeAuthToken {
		return true
	}
	return x.refuseWith(KeyRefusal(x.rejection))
}
