package dashboards

func resources() []spec { return append(machine(), handles()...) }

// machine is CPU and memory.
func machine() []spec {
	return []spec{
		{
			kind: "timeseries", width: 8, title: "CPU", unit: "short", levels: calm,
			queries: []query{{rate("process_cpu_seconds_total"), "{{instance}}"}, {aggregate("min", "", of("go_sched_gomaxprocs_threads")), "allowed"}},
			colors:  map[string]string{"allowed": red},
			what:    "Cores that each instance uses, beside those that it may use.", normal: "below two thirds of what is allowed.",
			todo: "more CPU, or more instances.",
		},
		{
			kind: "timeseries", width: 8, title: "Memory", unit: "bytes", levels: calm,
			queries: []query{
				{of("process_resident_memory_bytes"), "{{instance}}"},
				{aggregate("max", "", of("go_memstats_heap_inuse_bytes")), "largest heap"},
				{aggregate("max", "", of("gateway_store_bytes")), "of it, counts"},
			},
			what: "What each instance takes of the machine's memory, and the largest heap and counts among them.", normal: "steady after the first minutes.",
			todo: "it grows for hours at a steady load: report it, with a profile of the heap (admin.pprof).",
		},
		{
			kind: "timeseries", width: 8, title: "Pauses of the garbage collector", unit: "s", lines: true, levels: []level{{color: green}, {color: yellow, from: .01}},
			// Prometheus asks for OpenMetrics, which writes 1.0 for 1.
			queries: []query{{of("go_gc_duration_seconds", `quantile=~"1|1.0"`), "{{instance}}"}},
			what:    "The longest pause of late.", normal: "below 1 ms, more on a busy machine.",
			todo: "the CPU is short, or GOGC is set very low.",
		},
	}
}

// handles are what is open, and what went wrong.
func handles() []spec {
	return []spec{
		{
			kind: "timeseries", width: 8, title: "Goroutines", unit: "short", levels: calm,
			queries: each(of("go_goroutines")),
			what:    "Work under way; about one for each open connection.", normal: "follows the connections.",
			todo: "it grows while the connections do not: report it.",
		},
		{
			kind: "timeseries", width: 8, title: "File descriptors in use", unit: "percentunit", max: 1, lines: true,
			levels:  []level{{color: green}, {color: yellow, from: .8}, {color: red, from: .95}},
			queries: each(of("process_open_fds") + " / " + of("process_max_fds")),
			what:    "Each connection takes one, on either side.", normal: "below 80 %.", todo: "raise the limit (LimitNOFILE), or set listen.max_connections.",
		},
		{
			kind: "timeseries", width: 8, title: "Faults and lost log lines", unit: "short", levels: zero,
			queries: []query{
				{sum("", "increase("+of("gateway_panics_total")+"[$__rate_interval])"), "faults turned into 500"},
				{sum("", "increase("+of("gateway_access_log_dropped_total")+"[$__rate_interval])"), "lost lines of the access log"},
			},
			colors: map[string]string{"faults turned into 500": red},
			what:   "Mistakes of the gateway itself, and lines that its access log could not write.", normal: "0.",
			todo: "faults: see the runbook, GatewayPanics. Lost lines: whatever reads the standard output is too slow.",
		},
		{
			kind: "timeseries", width: 8, title: "Log lines left out", unit: "ops", levels: []level{{color: green}},
			queries: []query{{sum("", "rate("+of("gateway_access_log_skipped_total")+"[$__rate_interval])"), "left out"}},
			what:    "Lines that log.sample leaves out of the access log.", normal: "0 without log.sample; with it, about the requests less one in N.",
			todo: "nothing; a line that is missed was left out here, not lost.",
		},
		{
			kind: "timeseries", width: 8, title: "Spans", unit: "ops", levels: []level{{color: green}},
			queries: []query{
				{sum("", "rate("+of("gateway_tracing_spans_exported_total")+"[$__rate_interval])"), "exported"},
				{sum("reason", "rate("+of("gateway_tracing_spans_dropped_total")+"[$__rate_interval])"), "dropped: {{reason}}"},
			},
			what: "Spans that the collector of traces took, and those that were lost.", normal: "nothing without tracing.otlp_endpoint; nothing dropped with it.",
			todo: "dropped: the log says what the collector answers; too many: lower tracing.sample_ratio. No request waits for a span.",
		},
	}
}

// burn is how many times faster than over 30 days the budget is used up.
func burn(window string) query {
	return query{`job:gateway_errors:ratio_rate` + window + `{job=~"$job"} / 0.001`, "{{job}} over " + window}
}

func budget() []spec {
	return []spec{
		{
			kind: "stat", width: 8, title: "Budget left of 30 days", unit: "percentunit", none: "no traffic, or no rules",
			levels:  []level{{color: red}, {color: yellow, from: .25}, {color: green, from: .5}},
			queries: []query{{`1 - job:gateway_errors:ratio_rate30d{job=~"$job"} / 0.001`, "{{job}}"}},
			what:    "Of 1,000 requests one may fail by the gateway's fault. This much of that is left. Needs the rules of alerts.yml.",
			normal:  "more than half.", todo: "below 0 the objective is missed: change less, and mend what fails most.",
		},
		{
			kind: "stat", width: 8, title: "Failing now", unit: "percentunit", none: "no traffic, or no rules",
			levels:  []level{{color: green}, {color: yellow, from: .001}, {color: red, from: .0144}},
			queries: []query{{`job:gateway_errors:ratio_rate5m{job=~"$job"}`, "{{job}}"}},
			what:    "The share of requests of the last five minutes that the gateway answered with a 5xx of its own.", normal: "below 0.1 %.",
			todo: "see \"Own answers by code\".",
		},
		{
			kind: "stat", width: 8, title: "Failed in a day", unit: "percentunit", none: "no traffic, or no rules",
			levels:  []level{{color: green}, {color: yellow, from: .001}, {color: red, from: .003}},
			queries: []query{{`job:gateway_errors:ratio_rate1d{job=~"$job"}`, "{{job}}"}},
			what:    "The same for the last 24 hours.", normal: "below 0.1 %.",
			todo: "find the reason that keeps coming back in \"Upstream errors by reason\".",
		},
		{
			kind: "timeseries", width: 12, title: "Burn rate", unit: "short", lines: true,
			levels:  []level{{color: green}, {color: yellow, from: 1}, {color: orange, from: 6}, {color: red, from: 14.4}},
			queries: []query{burn("5m"), burn("30m"), burn("1h"), burn("2h"), burn("6h"), burn("1d"), burn("3d")},
			what:    "How many times faster than over 30 days the budget is used up. Lines at 1, 6 and 14.4, where alerts fire.",
			normal:  "below 1.", todo: "the runbook, GatewayErrorBudgetBurnsFast.",
		},
		{
			kind: "state-timeline", width: 12, title: "Alerts", unit: "none", levels: []level{{color: orange}},
			words:   map[string]level{"1": {color: red, text: "firing"}},
			queries: []query{{`max by (alertname) (ALERTS{alertname=~"Gateway.+",job=~"$job",alertstate="firing"})`, "{{alertname}}"}},
			what:    "The gateway's alerts that fired.", normal: "none.", todo: "each has a section in the runbook.",
		},
	}
}
