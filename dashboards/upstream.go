package dashboards

import "slices"

func upstream() []spec { return slices.Concat(answers(), times(), reach(), addresses()) }

// answers are what came back.
func answers() []spec {
	return []spec{
		{
			kind: "timeseries", width: 8, title: "Answers of the upstream by code", unit: "reqps", levels: calm,
			queries: []query{{sum("code", rate("gateway_upstream_requests_total")) + " > 0", "{{code}}"}},
			what:    "What ChatShipper answered, per second. Codes that did not occur are left out.", normal: "2xx, few 4xx.",
			todo: "5xx: ask ChatShipper. 401 in numbers: somebody tries tokens. 429: see \"429 of the upstream\".",
		},
		{
			kind: "timeseries", width: 8, title: "Upstream errors by reason", unit: "reqps", levels: zero,
			queries: by("reason", "gateway_upstream_errors_total"),
			what:    "Calls that got no answer, per second.", normal: "0, a rare `reset` apart.",
			todo: "`connect`, `dns`, `tls`: the runbook, GatewayUpstreamDown. `timeout`: upstream.timeout is shorter than ChatShipper takes. `no_free_conns`: raise upstream.max_connections. `client`: clients break off while they send.",
		},
		{
			kind: "timeseries", width: 8, title: "429 of the upstream", unit: "short", levels: zero,
			queries: one(sum("", "increase("+of("gateway_upstream_requests_total", `code="429"`)+"[$__rate_interval])")),
			what:    "Requests that our limits let through and ChatShipper limited all the same: the gateway's own sign that it leaks.",
			normal:  "0.", todo: "see the runbook, GatewayUpstreamStillLimits.",
		},
	}
}

// times are where it goes.
func times() []spec {
	return []spec{
		{
			kind: "timeseries", width: 12, title: "Where the time goes", unit: "s", levels: calm,
			queries: []query{
				{quantile("0.99", "", "gateway_request_duration_seconds"), "all, p99"},
				{quantile("0.99", "", "gateway_upstream_request_duration_seconds"), "upstream, p99"},
				{quantile("0.99", "", "gateway_overhead_seconds"), "gateway, p99"},
			},
			colors: map[string]string{"all, p99": blue, "upstream, p99": purple, "gateway, p99": orange},
			what:   "The three times side by side: the whole request, ChatShipper's part, the gateway's own.",
			normal: "the first two nearly alike, the third below 3.2 ms.", todo: "upstream: ask ChatShipper. Gateway: see the row Resources.",
		},
		{
			kind: "timeseries", width: 12, title: "Own time", unit: "s", lines: true, levels: []level{{color: green}, {color: yellow, from: .0032}, {color: red, from: .0064}},
			queries: quantiles("gateway_overhead_seconds"),
			what:    "What the gateway adds to a request. Streamed answers are left out, and so is the time until a client has sent its body.", normal: "p99 below 3.2 ms.",
			todo: "the CPU is short: see the row Resources and the runbook, GatewayOverheadHigh.",
		},
	}
}

// reach is whether and how the upstream is reached.
func reach() []spec {
	return []spec{
		{
			kind: "timeseries", width: 8, title: "Answer time of the upstream", unit: "s", levels: calm,
			queries: quantiles("gateway_upstream_request_duration_seconds"),
			what:    "From sending a request to its whole answer, or to the head of a streamed one.", normal: "what ChatShipper needs.",
			todo: "near upstream.timeout: ChatShipper is slow; nothing here makes it faster.",
		},
		{
			kind: "timeseries", width: 8, title: "Connections to the upstream", unit: "short", levels: calm,
			queries: []query{
				{sum("state", of("gateway_upstream_connections")), "{{state}}"},
				{sum("", of("gateway_upstream_connections_capacity")), "allowed"},
			},
			colors: map[string]string{"allowed": red},
			what:   "Connections in use and idle, beside what is allowed.", normal: "in use far below allowed.",
			todo: "raise upstream.max_connections before they meet, or find out why answers take long.",
		},
		{
			kind: "state-timeline", width: 8, title: "Upstream by instance", unit: "none", levels: []level{{color: red}, {color: green, from: 1}},
			words:   map[string]level{"1": good("reachable"), "0": bad("not reachable")},
			queries: each(of("gateway_upstream_up")),
			what:    "Whether each instance reaches ChatShipper.", normal: "reachable.",
			todo: "one instance alone: its network. All: see the runbook, GatewayUpstreamDown.",
		},
	}
}

// addresses are the several behind one upstream, and what protects them and us.
func addresses() []spec {
	return []spec{
		{
			kind: "timeseries", width: 6, title: "Addresses passed over", unit: "short", levels: zero,
			queries: []query{{sum("upstream, state", of("gateway_upstream_circuit_state", `state!="closed"`)), "{{upstream}} {{state}}"}},
			what:    "Addresses whose circuit is not closed: they failed several times in a row, or fail their health check. Half open: one request tries whether they are back.",
			normal:  "0.", todo: "see the runbook, GatewayCircuitOpen.",
		},
		{
			kind: "timeseries", width: 6, title: "Requests in flight by address", unit: "short", levels: calm,
			queries: []query{{sum("upstream", of("gateway_upstream_requests_in_flight")), "{{upstream}}"}},
			what:    "What each address has not answered yet. The next request goes to the one with the fewest.",
			normal:  "alike for all.", todo: "one at 0: see \"Addresses passed over\". All rise: ChatShipper has become slow.",
		},
		{
			kind: "timeseries", width: 6, title: "Retries", unit: "reqps", levels: zero,
			queries: []query{
				{sum("", rate("gateway_upstream_retries_total")), "sent again"},
				{sum("", rate("gateway_upstream_retries_refused_total")), "over the budget"},
				{sum("", rate("gateway_upstream_lookup_errors_total")), "failed lookups"},
			},
			colors: map[string]string{"over the budget": red},
			what:   "Requests that were sent upstream once more, where that is safe; those that were not, for upstream.retry_budget; and lookups of names that failed.",
			normal: "0.", todo: "sent again: an address dies or closes connections, see \"Upstream errors by reason\". Over the budget: the upstream is in trouble. Failed lookups: the name service; the last answer stays in use.",
		},
		{
			kind: "timeseries", width: 6, title: "Load shed", unit: "reqps", levels: zero,
			queries: one(sum("", rate("gateway_requests_shed_total"))),
			what:    "Requests refused with 503 because listen.max_requests_in_flight were being handled.", normal: "0.",
			todo: "see \"Where the time goes\": a slow upstream keeps requests in flight. If it is not: add instances, or raise the limit.",
		},
	}
}

func store() []spec {
	return []spec{
		{
			kind: "state-timeline", width: 12, title: "Shared store by instance", unit: "none", levels: []level{{color: green}, {color: red, from: 1}},
			words:   map[string]level{"0": good("in use"), "1": bad("degraded")},
			queries: each(of("gateway_store_degraded")),
			what:    "Whether each instance can use the shared store. With the memory store nothing can degrade.", normal: "in use.",
			todo: "see the runbook, GatewayStoreDegraded.",
		},
		{
			kind: "timeseries", width: 12, title: "Store errors by operation", unit: "ops", levels: zero,
			queries: by("op", "gateway_store_errors_total"),
			what:    "Calls to the shared store that failed or took too long.", normal: "0.",
			todo: "does it run, does it answer within store.redis.timeout, does it take the user? The log says how calls fail.",
		},
	}
}
