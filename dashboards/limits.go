package dashboards

import "slices"

func limits() []spec { return slices.Concat(refusals(), nearLimits(), tables()) }

// refusals are what the limits did.
func refusals() []spec {
	return []spec{
		{
			kind: "timeseries", width: 8, title: "Refused by rule", unit: "reqps", levels: seldom,
			queries: by("rule", "gateway_limit_decisions_total", `decision="refused"`),
			what:    "Requests per second that each rule refused. Who is refused by one rule counts as nothing for the others.",
			normal:  "0, and bursts of few clients.", todo: "the access log names the key as a digest. A partner that needs more gets an entry in limits.overrides.",
		},
		{
			kind: "timeseries", width: 8, title: "Would be refused, in shadow mode", unit: "reqps", levels: seldom,
			queries: by("rule", "gateway_limit_decisions_total", `decision="would_refuse"`),
			what:    "What a rule in shadow mode would have refused.", normal: "0 when every rule is enforced.",
			todo: "before you enforce a rule: look in the access log whom it would hit.",
		},
		{
			kind: "timeseries", width: 8, title: "Share refused by rule", unit: "percentunit", max: 1, lines: true,
			levels: []level{{color: green}, {color: yellow, from: .05}, {color: red, from: .25}},
			queries: []query{{
				sum("rule", rate("gateway_limit_decisions_total", `decision="refused"`)) + " / (" +
					sum("rule", rate("gateway_limit_decisions_total")) + " > 0)", "{{rule}}",
			}},
			what: "How many of the requests that a rule looked at it refused.", normal: "below 5 %.",
			todo: "if it stays high, clients do not heed Retry-After, or a limit does not fit them.",
		},
	}
}

// nearLimits are those about to refuse.
func nearLimits() []spec {
	full := []level{{color: green}, {color: yellow, from: .8}, {color: red, from: .95}}
	return []spec{
		{
			kind: "timeseries", width: 8, title: "Near the limit", unit: "reqps", levels: seldom,
			queries: by("rule", "gateway_limit_near_total"),
			what:    "Requests per second that were admitted at 80 % of their limit or more.", normal: "few.",
			todo: "clients that live near their limit will be refused at the next peak: tell them before.",
		},
		{
			kind: "timeseries", width: 8, title: "Room in use", unit: "percentunit", max: 1, lines: true, levels: full,
			queries: []query{{aggregate("max", "rule", of("gateway_store_entries")+" / "+of("gateway_store_capacity")), "{{rule}}"}},
			what:    "Keys that a rule keeps count of, as a share of those it has room for; of the fullest instance.",
			normal:  "below 80 %.", todo: "raise store.memory.max_bytes; see the runbook, GatewayLimiterNearCapacity.",
		},
		{
			kind: "timeseries", width: 8, title: "Live keys forgotten", unit: "short", levels: zero,
			queries: []query{{sum("rule", "increase("+of("gateway_store_evicted_live_total")+"[$__rate_interval])"), "{{rule}}"}},
			what:    "Keys that were forgotten for want of room while they were still limited: the rule is not fully enforced.",
			normal:  "0.", todo: "act now; see the runbook, GatewayEvictsLiveKeys.",
		},
	}
}

// tables is what the counts take.
func tables() []spec {
	return []spec{
		{
			kind: "timeseries", width: 12, title: "Keys by rule", unit: "short", levels: calm,
			queries: []query{{sum("rule", of("gateway_store_entries")), "{{rule}}"}},
			what:    "Keys, addresses and conversations that are kept count of now.", normal: "as many as were active within the rule's window.",
			todo: "many more than clients: somebody invents keys.",
		},
		{
			kind: "timeseries", width: 12, title: "Memory of the counts", unit: "bytes", levels: calm,
			queries: []query{
				{aggregate("max", "", of("gateway_store_bytes")), "fullest instance"},
				{aggregate("min", "", of("gateway_store_capacity_bytes")), "allowed"},
			},
			colors: map[string]string{"allowed": red},
			what:   "Memory that the counts take, beside what they may take.", normal: "far apart.",
			todo: "raise store.memory.max_bytes before they meet.",
		},
	}
}

func loops() []spec { return append(blocked(), heard()...) }

// blocked is what bots did.
func blocked() []spec {
	return []spec{
		{
			kind: "timeseries", width: 8, title: "Loops detected by rule", unit: "short", levels: []level{{color: green}, {color: orange, from: 1e-9}},
			queries: []query{{sum("rule", "increase("+of("gateway_loopguard_detections_total")+"[$__rate_interval])"), "{{rule}}"}},
			what:    "Conversations of a bot that became blocked: incidents, not messages.", normal: "0, seldom more.",
			todo: "the access log names bot and conversation as digests. See the runbook, GatewayBotLoopDetected.",
		},
		{
			kind: "timeseries", width: 8, title: "Messages refused by rule", unit: "reqps", levels: seldom,
			queries: by("rule", "gateway_limit_decisions_total", `decision="refused"`, `rule=~"identical|consecutive"`),
			what:    "How hard blocked bots keep trying. An array of messages is one decision.", normal: "0.",
			todo: "a bot that keeps trying does not read Retry-After: tell its author.",
		},
		{
			kind: "timeseries", width: 8, title: "Messages near the limit", unit: "reqps", levels: seldom,
			queries: by("rule", "gateway_limit_near_total", `rule=~"identical|consecutive"`),
			what:    "Messages that were admitted at 80 % of their limit or more.", normal: "few.",
			todo: "`consecutive` alone: replies may pass elsewhere unheard; see \"Streaks reset by replies\".",
		},
	}
}

// heard is what ends a streak, and what could not be judged.
func heard() []spec {
	return []spec{
		{
			kind: "timeseries", width: 8, title: "Streaks reset by replies", unit: "ops", levels: calm,
			queries: by("source", "gateway_loopguard_resets_total"),
			what:    "Replies that ended a streak of a bot's messages, by where they came from.", normal: "follows the conversations.",
			todo: "`webhook` stays at 0 although consumers write from messengers: set the webhook up.",
		},
		{
			kind: "timeseries", width: 8, title: "Messages not inspected", unit: "reqps", levels: seldom,
			queries: by("reason", "gateway_loopguard_uninspected_total"),
			what:    "Requests to create messages that could not be read, by reason. All but `unreadable_answer` were refused.", normal: "near 0.",
			todo: "a client sends compressed, broken or foreign bodies; the access log has its key's digest.",
		},
		{
			kind: "timeseries", width: 8, title: "Webhook events", unit: "ops", levels: calm,
			queries: by("result", "gateway_webhook_events_total"), colors: map[string]string{"bad_signature": red, "invalid": orange},
			what: "Events that ChatShipper reported.", normal: "`reply` and `ignored`.",
			todo: "`bad_signature`: webhook.secret is not the one that ChatShipper signs with, or somebody forges events.",
		},
	}
}
