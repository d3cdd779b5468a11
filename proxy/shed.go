package proxy

import "github.com/chatshipper/gateway/internal/apierror"

// shed refuses a request when as many as may be are being handled: before its
// body is read, and before anything of it waits for the upstream. It comes behind
// the request limits, so that a client that floods is told 429, and what counts
// against its limit does not depend on how busy the others are.
func (x *exchange) shed() bool {
	most := x.rules.maxInFlight
	if most == 0 {
		return true
	}
	if x.g.places.Add(1) <= most {
		x.placed = true
		return true
	}
	x.g.places.Add(-1)
	x.g.metrics.shed.Inc()
	return x.refuseWith(apierror.Error{Code: apierror.Overloaded, RetryAfter: 1})
}

// giveUpPlace lets another request in.
func (x *exchange) giveUpPlace() {
	if x.placed {
		x.g.places.Add(-1)
		x.placed = false
	}
}

// measureShedding makes the metrics of the requests in flight.
func (g *Gateway) measureShedding(f factory) {
	f.gaugeFunc("requests_in_flight_capacity", "How many requests may be handled at once; 0: no limit.", nil, func() float64 {
		return float64(g.rules.Load().maxInFlight)
	})
}
