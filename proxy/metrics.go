package proxy

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chatshipper/gateway/internal/upstream"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// uninspected is the closed set of reasons why a message could not be read.
type uninspected uint8

const (
	uninspectedTooLarge uninspected = iota
	uninspectedEncoding
	uninspectedType
	uninspectedJSON
	uninspectedAnswer
)

var uninspectedReasons = []string{"too_large", "content_encoding", "content_type", "invalid_json", "unreadable_answer"}

// Where a reply that reset a streak came from.
const (
	resetAgent       = iota // an agent or admin, through the gateway
	resetIntegration        // another bot that carried the consumer's words
	resetWebhook            // ChatShipper's report of a reply that passed elsewhere
)

var resetSources = []string{"agent", "integration", "webhook"}

// What became of a webhook event.
const (
	eventReply = iota
	eventIgnored
	eventHandshake
	eventBadSignature
	eventInvalid
)

var eventResults = []string{"reply", "ignored", "handshake", "bad_signature", "invalid"}

const (
	sourceGateway  = 0
	sourceUpstream = 1
)

var sources = []string{"gateway", "upstream"}

// metrics holds a handle for every series that a request can touch, resolved at
// start: a look-up by label for each request costs more than the rest of observe.
type metrics struct {
	requests      *prometheus.CounterVec
	byCode        [routeCount][methodCount][2][600]atomic.Pointer[prometheus.Counter]
	duration      [routeCount]prometheus.Observer
	overhead      prometheus.Observer
	inFlight      atomic.Int64
	shed          prometheus.Counter
	upstreamCode  *prometheus.CounterVec
	byUpstream    [600]atomic.Pointer[prometheus.Counter]
	upstreamTime  prometheus.Observer
	upstreamFails []prometheus.Counter
	limits        [2][3]prometheus.Counter
	limitsNear    [2]prometheus.Counter
	messages      [2][3]prometheus.Counter
	messagesNear  [2]prometheus.Counter
	trials        [2][3]prometheus.Counter // of the candidates beside the request limits
	messageTrials [2][3]prometheus.Counter
	detections    []prometheus.Counter
	resets        []prometheus.Counter
	uninspected   []prometheus.Counter
	events        []prometheus.Counter
	panics        prometheus.Counter
	lastFailure   lastError // of the upstream
}

// Decisions, the label of limit_decisions_total.
const (
	admitted = iota
	refused
	wouldRefuse
)

var decisions = []string{"admitted", "refused", "would_refuse"}

var (
	requestBuckets  = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	overheadBuckets = []float64{25e-6, 50e-6, 100e-6, 200e-6, 400e-6, 800e-6, .0016, .0032, .0064, .0128, .025, .05, .1}
)

func newMetrics(reg prometheus.Registerer, timeoutStatus int) *metrics {
	f := factory{reg}
	m := &metrics{
		requests:     f.counters("requests_total", "Answered requests.", "route", "method", "code", "source"),
		upstreamCode: f.counters("upstream_requests_total", "Answers of the upstream by status; a 429 here means that our limits leak.", "code"),
		shed:         f.counters("requests_shed_total", "Requests refused because as many were being handled as may be.").WithLabelValues(),
		panics:       f.counters("panics_total", "Faults in the gateway that were turned into a 500.").WithLabelValues(),
		overhead:     f.histogram("overhead_seconds", "Time a request spent in the gateway itself, once it was there: total less upstream.", overheadBuckets).WithLabelValues(),
		upstreamTime: f.histogram("upstream_request_duration_seconds", "Time from sending a request upstream to its whole answer.", requestBuckets).WithLabelValues(),
	}
	f.gaugeFunc("requests_in_flight", "Requests being handled now.", nil, func() float64 { return float64(m.inFlight.Load()) })
	durations := f.histogram("request_duration_seconds", "Time from a request's head being read to its answer being ready.", requestBuckets, "route")
	for r := range routeCount {
		m.duration[r] = durations.WithLabelValues(r.String())
	}
	fails := f.counters("upstream_errors_total", "Calls to the upstream that gave no answer, by reason.", "reason")
	for r := range upstream.ReasonCount {
		m.upstreamFails = append(m.upstreamFails, fails.WithLabelValues(r.String()))
	}
	m.resolveRules(f)
	m.resets = f.closed("loopguard_resets_total", "Replies that reset a streak of consecutive messages, by where they came from.", "source", resetSources)
	m.uninspected = f.closed("loopguard_uninspected_total", "Messages that could not be read for the message limits, by reason.", "reason", uninspectedReasons)
	m.events = f.closed("webhook_events_total", "Webhook events received, by result.", "result", eventResults)
	for _, status := range expectedStatuses {
		m.upstreamCode.WithLabelValues(strconv.Itoa(status))
	}
	m.presetRequests(timeoutStatus)
	return m
}

func (m *metrics) resolveRules(f factory) {
	taken := f.counters("limit_decisions_total", "Decisions of the request and message limits.", "rule", "decision")
	near := f.counters("limit_near_total", "Admitted at 80 % of the limit or more.", "rule")
	detections := f.counters("loopguard_detections_total", "Conversations of a bot that became blocked: incidents, not messages.", "rule")
	for r := range 2 {
		for d, name := range decisions {
			m.limits[r][d] = taken.WithLabelValues(limiter.Rule(r).String(), name)
			m.messages[r][d] = taken.WithLabelValues(loopguard.Rule(r).String(), name)
		}
		for _, d := range [...]int{admitted, wouldRefuse} { // a candidate refuses nothing
			m.trials[r][d] = taken.WithLabelValues(limiter.Rule(r).Candidate(), decisions[d])
			m.messageTrials[r][d] = taken.WithLabelValues(loopguard.Rule(r).Candidate(), decisions[d])
		}
		m.limitsNear[r] = near.WithLabelValues(limiter.Rule(r).String())
		m.messagesNear[r] = near.WithLabelValues(loopguard.Rule(r).String())
		m.detections = append(m.detections, detections.WithLabelValues(loopguard.Rule(r).String()))
	}
}

// countLimits counts a decision of the request limits: a refusal for the rule
// that refused, and as nothing for the other.
func (m *metrics) countLimits(d *limiter.Decision) {
	if !d.Admitted {
		m.limits[d.Refused][refused].Inc()
		return
	}
	for rule := range d.States {
		s := &d.States[rule]
		switch {
		case s.Limit.Requests == 0:
		case s.Over:
			m.limits[rule][wouldRefuse].Inc()
		default:
			m.limits[rule][admitted].Inc()
			if s.Used*5 >= s.Limit.Requests*4 {
				m.limitsNear[rule].Inc()
			}
		}
	}
}

// countMessages does the same for the message limits.
func (m *metrics) countMessages(d *loopguard.Decision) {
	for rule := range d.States {
		if d.States[rule].Detected {
			m.detections[rule].Inc()
		}
	}
	if !d.Admitted {
		m.messages[d.Refused][refused].Inc()
		return
	}
	for rule := range d.States {
		s := &d.States[rule]
		switch {
		case s.Limit.Messages == 0:
		case s.Over:
			m.messages[rule][wouldRefuse].Inc()
		default:
			m.messages[rule][admitted].Inc()
			if s.Used*5 >= s.Limit.Messages*4 {
				m.messagesNear[rule].Inc()
			}
		}
	}
}

func (m *metrics) observeUpstream(answer *upstream.Response, err error, ns int64) {
	if err == nil {
		m.upstreamTime.Observe(float64(ns) / 1e9)
		m.byStatus(&m.byUpstream[answer.Status], func() prometheus.Counter {
			return m.upstreamCode.WithLabelValues(strconv.Itoa(answer.Status))
		}).Inc()
		return
	}
	if failure, ok := err.(*upstream.Error); ok { //nolint:errorlint // Do returns it unwrapped
		if failure.Reason != upstream.ReasonCircuitOpen { // else nothing was asked
			m.upstreamTime.Observe(float64(ns) / 1e9)
		}
		m.upstreamError(failure.Reason)
		if failure.Reason != upstream.ReasonSource { // which is the client's fault
			m.lastFailure.note(err)
		}
	}
}

func (m *metrics) upstreamError(r upstream.Reason) { m.upstreamFails[r].Inc() }

func (m *metrics) answered(r route, k method, source, status int) {
	m.answers(r, k, source, status).Inc()
}

// answers is the counter of the requests of one kind that were answered alike.
func (m *metrics) answers(r route, k method, source, status int) prometheus.Counter {
	return m.byStatus(&m.byCode[r][k][source][status], func() prometheus.Counter {
		return m.requests.WithLabelValues(r.String(), k.String(), strconv.Itoa(status), sources[source])
	})
}

// byStatus resolves a counter the first time that its status is seen.
func (m *metrics) byStatus(slot *atomic.Pointer[prometheus.Counter], resolve func() prometheus.Counter) prometheus.Counter {
	if c := slot.Load(); c != nil {
		return *c
	}
	c := resolve()
	slot.Store(&c)
	return c
}
