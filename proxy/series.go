package proxy

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/balance"
	"github.com/chatshipper/gateway/internal/downstream"
)

// expectedStatuses are the documented ones of ChatShipper's API, and those with
// which any HTTP server may answer what a client asks. Their series exist from
// the start, so that an alert sees the first 429 of an upstream.
var expectedStatuses = []int{101, 200, 201, 204, 304, 400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 502, 503, 504}

// presetRequests makes every series of requests_total that a client can bring
// about, at 0: a counter that is born at 1 never shows its first increase, and
// nothing that a client sends adds a series. Only an unexpected status adds one,
// when the upstream first answers with it.
func (m *metrics) presetRequests(timeoutStatus int) {
	for r := range routeCount {
		for k := range methodCount {
			for _, status := range ownStatuses(r, timeoutStatus) {
				m.answers(r, k, sourceGateway, status)
			}
			if r == routeWebhook || r == routeUnread || k == methodPut || k == methodOther {
				continue // never sent upstream, unless methods.exceptions says so
			}
			for _, status := range expectedStatuses {
				m.answers(r, k, sourceUpstream, status)
			}
		}
	}
}

// ownStatuses are the statuses that the gateway itself answers with on a route.
func ownStatuses(r route, timeoutStatus int) []int {
	statuses := []int{timeoutStatus}
	switch r {
	case routeWebhook:
		return []int{200, 400, 401, 405, 408, 413, 417, 500}
	case routeUnread:
		return []int{400, 408, 431, 500}
	}
	for _, code := range apierror.Codes() {
		statuses = append(statuses, code.Status())
	}
	slices.Sort(statuses)
	return slices.Compact(statuses)
}

// measureConnections makes the metrics of clients' connections.
func (g *Gateway) measureConnections(f factory) {
	f.gaugeFunc("open_connections", "Open connections of clients.", nil, func() float64 { return float64(g.server.Open()) })
	for why, reason := range map[downstream.Fault]string{
		downstream.TooManyConnections: "max_connections", downstream.TooManyOfAddress: "max_connections_per_ip",
	} {
		f.counterFunc("connections_refused_total", "Connections that got no place, by the limit that was reached.",
			prometheus.Labels{"reason": reason}, func() float64 { return float64(g.server.Refused(why)) })
	}
}

// measureUpstream makes the metrics of the pool of connections.
func (g *Gateway) measureUpstream(f factory) {
	const name, help = "upstream_connections", "Connections to the upstream: in use (or being opened), and idle."
	f.gaugeFunc(name, help, prometheus.Labels{"state": "used"}, func() float64 {
		s := g.upstream.Stats()
		return float64(s.Open - s.Idle)
	})
	f.gaugeFunc(name, help, prometheus.Labels{"state": "idle"}, func() float64 { return float64(g.upstream.Stats().Idle) })
	f.gaugeFunc("upstream_connections_capacity", "How many connections to the upstream may be open at once.", nil, func() float64 {
		return float64(g.upstream.Capacity())
	})
	g.measureAddresses(f)
	f.counterFunc("upstream_retries_total", "Requests that were sent upstream once more, on another connection or to another address.", nil,
		func() float64 { return float64(g.upstream.Retries()) })
	f.counterFunc("upstream_retries_refused_total", "Requests that could have been sent once more, but for upstream.retry_budget.", nil,
		func() float64 { return float64(g.upstream.RetriesRefused()) })
	f.counterFunc("upstream_lookup_errors_total", "Lookups of the upstream's names that failed.", nil,
		func() float64 { return float64(g.upstream.LookupErrors()) })
}

// measureAddresses makes the metrics of each configured address of the upstream:
// a closed set, whatever its names stand for.
func (g *Gateway) measureAddresses(f factory) {
	for i, address := range g.upstream.Targets() {
		for s := range balance.States {
			f.gaugeFunc("upstream_circuit_state", "Servers behind an address of the upstream by the state of their circuit; one, unless the address is a name for several.",
				prometheus.Labels{"upstream": address, "state": s.String()}, func() float64 { return float64(g.upstream.Circuits(i)[s]) })
		}
		f.gaugeFunc("upstream_requests_in_flight", "Requests that an address of the upstream has not answered yet.",
			prometheus.Labels{"upstream": address}, func() float64 { return float64(g.upstream.InFlight(i)) })
	}
}
