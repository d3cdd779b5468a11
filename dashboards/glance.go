package dashboards

import "slices"

// failed is the share of requests that the gateway itself answered with a
// status of 500 or more.
func failed() string {
	return sum("", rate("gateway_requests_total", `source="gateway"`, `code=~"5.."`)) + " / (" + sum("", rate("gateway_requests_total")) + " > 0)"
}

func glance() []spec {
	return slices.Concat(glanceTraffic(), glanceLimits(), glanceState(), glanceAge())
}

// glanceTraffic are the tiles of how requests fare.
func glanceTraffic() []spec {
	return []spec{
		{
			kind: "stat", width: 3, title: "Requests", unit: "reqps", levels: []level{{color: "blue"}},
			queries: one(sum("", rate("gateway_requests_total"))),
			what:    "Answered requests per second, whoever answered.", normal: "whatever is usual at this hour.",
			todo: "at 0 with clients about: see that they reach the gateway at all.",
		},
		{
			kind: "stat", width: 3, title: "Availability", unit: "percentunit", none: "no traffic",
			levels:  []level{{color: "red"}, {color: "yellow", from: .99}, {color: "green", from: .999}},
			queries: one("1 - " + failed()),
			what:    "The share of requests whose answer was no fault of the gateway's: not its own 5xx. Limits (429) and the upstream's errors do not count against it.",
			normal:  "99.9 % and more.", todo: "see the panel \"Own answers by code\" and the runbook, GatewayErrorBudgetBurnsFast.",
		},
		{
			kind: "stat", width: 3, title: "Answer time, p99", unit: "s", none: "no traffic",
			levels:  []level{{color: "green"}, {color: "yellow", from: 1}, {color: "red", from: 5}},
			queries: one(quantile("0.99", "", "gateway_request_duration_seconds")),
			what:    "99 of 100 requests are answered within this time, upstream included.",
			normal:  "little more than ChatShipper needs.", todo: "see \"Where the time goes\".",
		},
		{
			kind: "stat", width: 3, title: "Own time, p99", unit: "s", none: "no traffic",
			levels:  []level{{color: "green"}, {color: "yellow", from: .0032}, {color: "red", from: .0064}},
			queries: one(quantile("0.99", "", "gateway_overhead_seconds")),
			what:    "99 of 100 requests spend at most this time in the gateway itself.",
			normal:  "below 3.2 ms.", todo: "the CPU is short: see the row Resources and the runbook, GatewayOverheadHigh.",
		},
	}
}

// glanceLimits are the tiles of what was refused, and whether all is as configured.
func glanceLimits() []spec {
	return []spec{
		{
			kind: "stat", width: 3, title: "Refused", unit: "reqps", levels: []level{{color: "green"}, {color: "orange", from: 1}},
			queries: one(sum("", rate("gateway_limit_decisions_total", `decision="refused"`))),
			what:    "Requests per second that a limit refused with 429.", normal: "0, and bursts of few clients.",
			todo: "see the row Limits for the rule, the access log for the client.",
		},
		{
			kind: "stat", width: 3, title: "Loops stopped", unit: "short", whole: true,
			levels:  []level{{color: "green"}, {color: "orange", from: .5}},
			queries: one(sum("", "increase("+of("gateway_loopguard_detections_total")+"[$__range])")),
			what:    "Conversations in which a bot was stopped, in the time range of the dashboard.",
			normal:  "0, seldom more.", todo: "tell the bot's author; see the runbook, GatewayBotLoopDetected.",
		},
		{
			kind: "stat", width: 3, title: "State of the upstream", unit: "none", levels: []level{{color: "red"}, {color: "green", from: 1}},
			words:   map[string]level{"1": good("reachable"), "0": bad("not reachable")},
			queries: one(aggregate("min", "", of("gateway_upstream_up"))),
			what:    "Whether every instance reaches ChatShipper.", normal: "reachable.",
			todo: "see \"Upstream by instance\" and the runbook, GatewayUpstreamDown.",
		},
		{
			kind: "stat", width: 3, title: "State of the limits", unit: "none", levels: []level{{color: "green"}, {color: "red", from: 1}},
			words:   map[string]level{"0": good("exact"), "1": bad("degraded")},
			queries: one(aggregate("max", "", of("gateway_store_degraded"))),
			what:    "Whether the gateways count as configured: degraded means that the shared store can't be used.",
			normal:  "exact.", todo: "see the row Shared store and the runbook, GatewayStoreDegraded.",
		},
	}
}

// glanceState are the tiles of what is running.
func glanceState() []spec {
	return []spec{
		{
			kind: "stat", width: 4, title: "Instances", unit: "short", levels: []level{{color: "blue"}},
			queries: one(aggregate("count", "", of("gateway_build_info"))),
			what:    "Gateways that Prometheus scrapes.", normal: "as many as were started.",
			todo: "see the runbook, GatewayDown.",
		},
		{
			kind: "stat", width: 4, title: "Versions", unit: "short", names: true, levels: []level{{color: "blue"}},
			queries: []query{{aggregate("count", "version", of("gateway_build_info")), "{{version}}"}},
			what:    "How many instances run which version.", normal: "one version, but for the time of a rollout.",
			todo: "finish the rollout, or take it back.",
		},
		{
			kind: "stat", width: 4, title: "Configuration", unit: "none", levels: []level{{color: "red"}, {color: "green", from: 1}},
			words:   map[string]level{"1": good("newest in force"), "0": bad("newest refused")},
			queries: one(aggregate("min", "", of("gateway_config_last_reload_successful"))),
			what:    "Whether every instance took its newest configuration.", normal: "newest in force.",
			todo: "`gateway check` lists the mistakes; see the runbook, GatewayConfigReloadFailed.",
		},
	}
}

// glanceAge are the tiles of beginnings and ends.
func glanceAge() []spec {
	return []spec{
		{
			kind: "stat", width: 4, title: "Draining", unit: "short", levels: []level{{color: "green"}, {color: "yellow", from: 1}},
			queries: one(sum("", of("gateway_draining"))),
			what:    "Instances that are about to end and send their clients away.", normal: "0, but for the seconds of a restart.",
			todo: "if it lasts, a client holds on to its connection: `listen.drain_timeout` will end it.",
		},
		{
			kind: "stat", width: 4, title: "Certificate ends in", unit: "dtdurations", none: "plain text",
			levels:  []level{{color: "red"}, {color: "yellow", from: 14 * 86400}, {color: "green", from: 21 * 86400}},
			queries: one(aggregate("min", "", of("gateway_tls_certificate_expiry_timestamp_seconds")) + " - time()"),
			what:    "How long the certificate of the public listener is good for, where it speaks TLS.", normal: "more than three weeks.",
			todo: "renew it; see the runbook, GatewayCertificateExpires.",
		},
		{
			kind: "stat", width: 4, title: "Youngest runs for", unit: "dtdurations",
			levels:  []level{{color: "yellow"}, {color: "green", from: 600}},
			queries: one("time() - " + aggregate("max", "", of("process_start_time_seconds"))),
			what:    "How long the instance that started last has been running.", normal: "since the last rollout.",
			todo: "short again and again: it crashes. Its supervisor knows the exit code, its log the reason.",
		},
	}
}
