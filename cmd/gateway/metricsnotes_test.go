package main

import "strings"

// group is a section of docs/metrics.md.
type group struct {
	title    string
	prefixes []string // of the names in it, without gateway_
}

var groups = []group{
	{"Requests", []string{"requests_", "request_", "overhead_", "open_", "connections_", "panics_", "access_"}},
	{"Limits", []string{"limit_", "store_"}},
	{"Bot loops", []string{"loopguard_", "webhook_"}},
	{"Upstream", []string{"upstream_"}},
	{"The gateway itself", []string{"build_", "config_", "draining", "tls_", "tracing_"}},
}

func (g group) of(name string) bool {
	for _, prefix := range g.prefixes {
		if strings.HasPrefix(name, "gateway_"+prefix) {
			return true
		}
	}
	return false
}

// note is what the registry can't know about a metric.
type note struct{ unit, normal string }

var notes = map[string]note{
	"requests_total":               {"requests", "mostly `source=\"upstream\"`. `code=\"429\",source=\"gateway\"` is a limit at work, no error; 5xx with `source=\"gateway\"` uses up the error budget."},
	"request_duration_seconds":     {"seconds", "the upstream's time and a fraction of a millisecond. `other` holds downloads and event streams, which last as long as they flow."},
	"overhead_seconds":             {"seconds", "nearly everything below 0.0016. More means that the CPU is short, or that tokens are being introspected (once for each, in the upstream's time). Streamed answers are left out, and so is the time until a client has sent its body."},
	"requests_in_flight":           {"requests", "requests per second times their duration. It grows when the upstream slows down."},
	"requests_in_flight_capacity":  {"requests", "`listen.max_requests_in_flight`; 0 means no limit."},
	"requests_shed_total":          {"requests", "0. Else more came in at once than `listen.max_requests_in_flight`, most often because the upstream has become slow."},
	"open_connections":             {"connections", "steady; far below `listen.max_connections` where that is set, and below the limit of file descriptors."},
	"connections_refused_total":    {"connections", "0. `max_connections_per_ip`: one client opens too many, or many clients share an address. `max_connections`: the gateway is full."},
	"panics_total":                 {"faults", "0. Each one is a bug: the log has the stack."},
	"access_log_skipped_total":     {"requests", "0 without `log.sample`."},
	"access_log_dropped_total":     {"lines", "0. Else whatever reads the gateway's standard output is too slow."},
	"tracing_spans_exported_total": {"spans", "0 without `tracing.otlp_endpoint`; with it, two for each sampled request, one for those that the gateway answered itself."},
	"tracing_spans_dropped_total":  {"spans", "0. `queue_full`: more are sampled than the collector takes, or it is down. `refused`: it answers that it does not want them (headers, address, its own limits). `unreachable`: no answer, or only requests to wait, for a minute. The log has the error."},

	"limit_decisions_total":    {"decisions", "mostly `admitted`. `refused` comes in bursts of few clients; `would_refuse` only in shadow mode. A message array is one decision."},
	"limit_near_total":         {"decisions", "well below `admitted`. When it rises, clients are about to be refused."},
	"store_entries":            {"keys", "as many as were active within the window, below 80 % of `gateway_store_capacity`."},
	"store_capacity":           {"keys", "fixed by `store.memory.max_bytes`."},
	"store_bytes":              {"bytes", "below `gateway_store_capacity_bytes`."},
	"store_capacity_bytes":     {"bytes", "`store.memory.max_bytes`."},
	"store_evicted_live_total": {"keys", "0. Each one is a key whose limit was forgotten too early: raise `store.memory.max_bytes`."},
	"store_errors_total":       {"calls", "0. Stays 0 with the memory store."},
	"store_degraded":           {"0 or 1", "0. While it is 1 the gateways count apart from one another. Stays 0 with the memory store."},

	"loopguard_detections_total":  {"incidents", "rare. Each one is a bot that talks to itself or to another bot."},
	"loopguard_resets_total":      {"replies", "follows the conversations. With consumers on messengers, `webhook` must not stay at 0: they write past the gateway."},
	"loopguard_uninspected_total": {"requests", "near 0. All but `unreadable_answer` were refused."},
	"webhook_events_total":        {"events", "`reply` and `ignored`. `bad_signature` means another secret than ChatShipper's, or a forger."},

	"upstream_requests_total":           {"answers", "mostly 2xx. `code=\"429\"` must be 0: ChatShipper limits somebody whom our limits let through, or who goes around us."},
	"upstream_request_duration_seconds": {"seconds", "what ChatShipper needs. Of a streamed answer only the time to its head."},
	"upstream_errors_total":             {"calls", "0, a rare `reset` apart. `no_free_conns` means that `upstream.max_connections` is too small or the upstream too slow, `client` that a client broke off in the middle of its body."},
	"upstream_up":                       {"0 or 1", "1: at least one address can be reached. Without `upstream.health_check.path` it only follows the calls."},
	"upstream_circuit_state":            {"servers", "`closed`. `open`: the address is passed over, because it failed `upstream.circuit_breaker.failures` times in a row or fails its health check. `half_open`: one request tries, or the next one will. `upstream` is the address as it is configured."},
	"upstream_requests_in_flight":       {"requests", "alike for all addresses; a slow one gets fewer requests, not fewer in flight."},
	"upstream_retries_total":            {"requests", "0, a few when an address dies or closes connections. Never a request that may have been processed, unless it is idempotent."},
	"upstream_retries_refused_total":    {"requests", "0. Else more failed at once than `upstream.retry_budget` lets through a second time: the upstream is in trouble, and retries would add to it."},
	"upstream_lookup_errors_total":      {"lookups", "0. While lookups fail the last good answer stays in use."},
	"upstream_connections":              {"connections", "`used` follows the load, far below `gateway_upstream_connections_capacity`."},
	"upstream_connections_capacity":     {"connections", "`upstream.max_connections` for each address."},

	"build_info":                                   {"a constant 1", "one version over all instances, but for the time of a rollout."},
	"config_last_reload_successful":                {"0 or 1", "1. At 0 the last good configuration is in force, and the log lists the mistakes."},
	"config_last_reload_success_timestamp_seconds": {"seconds since 1970", "the time of the start or of the last change."},
	"draining": {"0 or 1", "0, but for the seconds before an orderly end."},
	"tls_certificate_expiry_timestamp_seconds": {"seconds since 1970", "at least 14 days ahead. Exists for those of `listen.tls`, `admin.tls`, `upstream.tls` and `tracing.tls` that are set."},
}
