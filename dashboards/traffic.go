package dashboards

const (
	green, yellow, orange, red, blue, purple = "green", "yellow", "orange", "red", "blue", "purple"
)

func traffic() []spec { return append(requests(), load()...) }

// requests are how many, with what end, how fast.
func requests() []spec {
	return []spec{
		{
			kind: "timeseries", width: 12, title: "Requests by route", unit: "reqps", levels: calm,
			queries: by("route", "gateway_requests_total"),
			what:    "Answered requests per second. `other` is every route without a rule of its own; `unread` could not be read as a request.",
			normal:  "the usual day. `unread` near 0.", todo: "a step without a cause: ask the clients' owners. `unread`: a scanner or a broken client.",
		},
		{
			kind: "timeseries", width: 12, title: "Answers by status", unit: "reqps", levels: calm, stack: true,
			queries: statuses(),
			colors: map[string]string{
				"success": green, "client's mistake": yellow, "limited (429)": orange, "upstream's fault": purple, "gateway's fault": red,
			},
			what:   "Answers per second by kind, on top of one another.",
			normal: "nearly all green.", todo: "yellow: a client is broken, or its token has expired. Orange: see the row Limits. Purple and red: see the row Upstream.",
		},
		{
			kind: "timeseries", width: 12, title: "Answer time", unit: "s", lines: true,
			levels:  []level{{color: green}, {color: yellow, from: 1}, {color: red, from: 5}},
			queries: quantiles("gateway_request_duration_seconds"),
			what:    "From a request being read to its answer being ready, upstream included. Downloads and event streams last as long as they flow.",
			normal:  "what ChatShipper needs.", todo: "see \"Where the time goes\".",
		},
	}
}

// load is how much is going on, route by route.
func load() []spec {
	return []spec{
		{
			kind: "timeseries", width: 6, title: "Answer time by route, p99", unit: "s", lines: true,
			levels:  []level{{color: green}, {color: yellow, from: 1}, {color: red, from: 5}},
			queries: []query{{quantile("0.99", "route", "gateway_request_duration_seconds"), "{{route}}"}},
			what:    "99 of 100 requests of a route are answered within this time. A route without traffic has no line.",
			normal:  "`messages` and `auth_token` alike; `other` may hold downloads.", todo: "one route alone: ask ChatShipper. All: see \"Where the time goes\".",
		},
		{
			kind: "timeseries", width: 6, title: "Requests in flight and open connections", unit: "short", levels: calm,
			queries: []query{{sum("", of("gateway_requests_in_flight")), "requests in flight"}, {sum("", of("gateway_open_connections")), "open connections"}},
			what:    "What is going on right now.", normal: "connections steady; requests in flight about rate times answer time.",
			todo: "both rise with a steady rate: the upstream has become slow.",
		},
		{
			kind: "timeseries", width: 6, title: "Connections refused by limit", unit: "ops", levels: zero,
			queries: by("reason", "gateway_connections_refused_total"),
			what:    "Connections that got no place, per second, by the limit that was reached.", normal: "0.",
			todo: "`max_connections_per_ip`: find the client that opens so many, or list the proxy before it in listen.trusted_proxies. `max_connections`: raise it, or add instances.",
		},
		{
			kind: "timeseries", width: 6, title: "Own answers by code", unit: "reqps", levels: seldom,
			queries: []query{{sum("code", rate("gateway_requests_total", `source="gateway"`, `code=~"4..|5.."`)), "{{code}}"}},
			what:    "Errors that the gateway itself answered, per second.", normal: "429 when a limit works, few 400, 401 and 405.",
			todo: "500: a fault, see the log. 502, 503: see \"Upstream errors by reason\". 400, 413, 415, 431: a client sends what can't be judged; the access log has the reason.",
		},
	}
}

// statuses are the kinds of answers, worst on top.
func statuses() []query {
	answers := func(matchers ...string) string { return sum("", rate("gateway_requests_total", matchers...)) }
	return []query{
		{answers(`code=~"1..|2..|3.."`), "success"},
		{answers(`code=~"4..",code!="429"`), "client's mistake"},
		{answers(`code="429"`), "limited (429)"},
		{answers(`code=~"5..",source="upstream"`), "upstream's fault"},
		{answers(`code=~"5..",source="gateway"`), "gateway's fault"},
	}
}
