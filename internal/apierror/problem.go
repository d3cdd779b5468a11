package apierror

import "strconv"

// problemType is one of the problem types that the IETF draft on RateLimit
// fields defines, or none of them.
type problemType uint8

const (
	blank problemType = iota
	quotaExceeded
	abnormalUsage
	reducedCapacity
)

var problemTypes = [...]struct{ uri, title string }{
	blank:           {uri: "about:blank"}, // its title is the status's own text
	quotaExceeded:   {"https://iana.org/assignments/http-problem-types#quota-exceeded", "Quota exceeded"},
	abnormalUsage:   {"https://iana.org/assignments/http-problem-types#abnormal-usage-detected", "Abnormal usage detected"},
	reducedCapacity: {"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity", "Temporarily reduced capacity"},
}

// AppendProblem appends the error as application/problem+json (RFC 9457). Code,
// message and the rule's numbers are extension members, and the error object of
// the other form is there too, so that one way of reading fits both.
func (e *Error) AppendProblem(dst []byte) []byte {
	kind := problemTypes[e.Code.facts().problem]
	if kind.title == "" {
		kind.title = StatusText(e.HTTPStatus())
	}
	dst = append(dst, `{"type":"`...)
	dst = append(dst, kind.uri...)
	dst = append(dst, `","title":"`...)
	dst = append(dst, kind.title...)
	dst = append(dst, `","status":`...)
	dst = strconv.AppendInt(dst, int64(e.HTTPStatus()), 10)
	dst = append(dst, `,"detail":`...)
	start := len(dst)
	dst = e.appendQuotedMessage(dst)
	end := len(dst)
	dst = append(dst, `,"message":`...)
	dst = append(dst, dst[start:end]...)
	dst = append(dst, `,"code":"`...)
	dst = append(dst, e.Code.String()...)
	dst = append(dst, '"')
	dst = e.appendNumbers(dst)
	dst = e.appendPolicies(dst)
	dst = e.appendErrorObject(dst, start, end)
	return append(dst, '}')
}

// appendPolicies names the violated policy where a rule of ours refused.
func (e *Error) appendPolicies(dst []byte) []byte {
	policy := e.Code.Policy()
	if policy == "" {
		return dst
	}
	dst = append(dst, `,"violated-policies":["`...)
	dst = append(dst, policy...)
	return append(dst, `"]`...)
}
