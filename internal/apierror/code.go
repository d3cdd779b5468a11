// Package apierror is the one door through which every answer that is no
// success leaves: it knows the closed set of error codes, writes the JSON that
// ChatShipper's documentation promises, and turns whatever an upstream sends as
// an error into that shape. It works on bytes and numbers: it knows nothing of
// servers, requests or headers, and nothing of how a rule comes to its decision.
package apierror

// Code names what went wrong. The set is closed: metrics and clients rely on it.
type Code uint8

// The codes. The zero value is Internal, so that a forgotten code is never
// taken for the client's mistake.
const (
	Internal Code = iota
	InvalidRequest
	Unauthenticated
	MethodNotAllowed
	RequestTimeout
	PayloadTooLarge
	UnsupportedEncoding
	ExpectationFailed
	RateLimitedIP
	RateLimitedKey
	IdenticalMessages
	ConsecutiveMessages
	HeadersTooLarge
	UpstreamUnreachable
	UpstreamInvalid
	UpstreamTimeout
	Overloaded
	Draining
	UpstreamUnavailable
	HTTPVersionNotSupported

	codeCount
)

// The media types of the two forms of an error.
const (
	ContentType        = "application/json"
	ContentTypeProblem = "application/problem+json"
)

// facts is what is known of a code without knowing the request.
type facts struct {
	name    string
	status  int
	policy  string // the rule that refused, for codes that are refusals
	problem problemType
	message string
}

var codes = [codeCount]facts{
	Internal: {
		"internal", 500, "", blank,
		"The gateway made a mistake while it handled this request. It was recorded; if it happens again, report the X-Request-Id of this answer.",
	},
	InvalidRequest: {
		"invalid_request", 400, "", blank,
		"The request could not be understood. Check the path, the headers and the JSON of the body, then send it again.",
	},
	Unauthenticated: {
		"unauthenticated", 401, "", blank,
		"This request needs an API key. Send it as 'Authorization: Bearer <token>'.",
	},
	MethodNotAllowed: {
		"method_not_allowed", 405, "", blank,
		"This method is not allowed here. Use GET, POST, PATCH or DELETE. To change something, use PATCH instead of PUT: it merges top-level fields and replaces nested ones.",
	},
	RequestTimeout: {
		"request_timeout", 408, "", blank,
		"The request was not received in time. Send the whole request without pauses.",
	},
	PayloadTooLarge: {
		"payload_too_large", 413, "", blank,
		"The body of the request is too large. Send fewer or smaller messages per request, and upload files instead of embedding them.",
	},
	UnsupportedEncoding: {
		"unsupported_encoding", 415, "", blank,
		"Messages must be sent as plain JSON in UTF-8. Leave out Content-Encoding and any other charset.",
	},
	ExpectationFailed: {
		"expectation_failed", 417, "", blank,
		"The only expectation that is supported is 'Expect: 100-continue'. Leave the Expect header out.",
	},
	RateLimitedIP: {
		"rate_limited_ip", 429, "per_ip", quotaExceeded,
		"Too many requests from this IP address. Wait as long as the Retry-After header says, then go on more slowly.",
	},
	RateLimitedKey: {
		"rate_limited_key", 429, "per_key", quotaExceeded,
		"Too many requests with this API key. Wait as long as the Retry-After header says, then go on more slowly.",
	},
	IdenticalMessages: {
		"identical_messages", 429, "identical", abnormalUsage,
		"Your bot sent too many identical messages to this conversation. Send something else, or wait as long as the Retry-After header says.",
	},
	ConsecutiveMessages: {
		"consecutive_messages", 429, "consecutive", abnormalUsage,
		"Your bot sent too many messages to this conversation without a reply. Wait until an agent or the consumer replies, or as long as the Retry-After header says.",
	},
	HeadersTooLarge: {
		"headers_too_large", 431, "", blank,
		"The headers of the request are too large. Send fewer or shorter headers or cookies, or a shorter URL.",
	},
	UpstreamUnreachable: {
		"upstream_unreachable", 502, "", blank,
		"The ChatShipper API could not be reached. Try again in a few seconds.",
	},
	UpstreamInvalid: {
		"upstream_invalid", 502, "", blank,
		"The ChatShipper API sent an answer that could not be understood. The request may have taken effect: check before you send it again.",
	},
	UpstreamTimeout: {
		"upstream_timeout", 503, "", blank,
		"The ChatShipper API did not answer in time. The request may have taken effect: check before you send it again, and wait as long as the Retry-After header says.",
	},
	Overloaded: {
		"overloaded", 503, "", reducedCapacity,
		"The gateway is handling as much as it can. The request was not sent on. Try again after the time in the Retry-After header.",
	},
	Draining: {
		"draining", 503, "", reducedCapacity,
		"This gateway is shutting down. The request was not sent on. Try again on a new connection.",
	},
	UpstreamUnavailable: {
		"upstream_unavailable", 503, "", reducedCapacity,
		"The ChatShipper API is not available at the moment. The request was not sent on. Try again after the time in the Retry-After header.",
	},
	HTTPVersionNotSupported: {
		"http_version_not_supported", 505, "", blank,
		"Only HTTP/1.1 and HTTP/1.0 are supported.",
	},
}

// Codes returns every code, in no order that matters.
func Codes() []Code {
	all := make([]Code, codeCount)
	for i := range all {
		all[i] = Code(i)
	}
	return all
}

// facts returns what is known of c. A value outside the set is Internal.
func (c Code) facts() *facts {
	if c >= codeCount {
		c = Internal
	}
	return &codes[c]
}

// String is the code as clients, logs and metrics see it, in snake_case.
func (c Code) String() string { return c.facts().name }

// Status is the HTTP status of an answer with this code.
func (c Code) Status() int { return c.facts().status }

// Message is a sentence for the author of a bot: what happened and what to do.
func (c Code) Message() string { return c.facts().message }

// Policy names the rule behind a refusal (per_ip, per_key, identical or
// consecutive), and is empty for every other code. It is also the policy's name
// in the RateLimit fields.
func (c Code) Policy() string { return c.facts().policy }
