package apierror

import (
	"strconv"
	"strings"
	"time"
)

// AppendMessage appends the sentence for the author of the bot, as plain text.
func (e *Error) AppendMessage(dst []byte) []byte {
	switch {
	case e.Message != "":
		return append(dst, e.Message...)
	case e.Limit <= 0 || e.Code.Policy() == "":
		return append(dst, e.Code.Message()...)
	}
	return e.appendRefusal(dst)
}

// appendRefusal says which rule refused, how many it allows in what window, and
// when the next try can succeed. It writes plain ASCII without quotes or
// backslashes, so that it needs no escaping in JSON.
func (e *Error) appendRefusal(dst []byte) []byte {
	switch e.Code {
	case RateLimitedIP:
		return e.appendRequests(append(dst, "Your IP address"...))
	case RateLimitedKey:
		return e.appendRequests(append(dst, "Your API key"...))
	case IdenticalMessages:
		return e.appendIdentical(dst)
	default:
		return e.appendConsecutive(dst)
	}
}

func (e *Error) appendRequests(dst []byte) []byte {
	dst = append(dst, " reached its limit of "...)
	dst = appendCount(dst, e.Limit, "request")
	dst = e.appendWithin(dst)
	dst = append(dst, ". The next one can succeed"...)
	dst = e.appendIn(dst)
	return append(dst, ". Refused requests do not count, so wait instead of trying again at once."...)
}

func (e *Error) appendIdentical(dst []byte) []byte {
	if e.TooMany {
		return e.appendTooMany(dst, "identical message", "")
	}
	dst = append(dst, "Your bot sent "...)
	dst = appendCount(dst, e.Used, "identical message")
	dst = append(dst, " to this conversation"...)
	dst = e.appendWithin(dst)
	dst = e.appendAllowed(dst)
	dst = append(dst, ". A reply does not reset this rule: send something else, or stop the loop."...)
	return dst
}

// whatResets is told to everybody whom the rule on consecutive messages refuses.
const whatResets = "A reply of an agent or the consumer resets this rule; a message of another bot does not."

func (e *Error) appendConsecutive(dst []byte) []byte {
	if e.TooMany {
		return e.appendTooMany(dst, "message", " without a reply")
	}
	dst = append(dst, "Your bot sent "...)
	dst = appendCount(dst, e.Used, "message")
	dst = append(dst, " to this conversation without a reply"...)
	dst = e.appendWithin(dst)
	dst = e.appendAllowed(dst)
	dst = append(dst, ", or as soon as somebody replies. "...)
	return append(dst, whatResets...)
}

// appendAllowed ends a sentence that said how many were sent. When that was
// less than the limit, what was refused is an array that does not fit whole.
func (e *Error) appendAllowed(dst []byte) []byte {
	dst = append(dst, "; at most "...)
	dst = strconv.AppendInt(dst, int64(e.Limit), 10)
	dst = append(dst, " are allowed. "...)
	if e.Used < e.Limit {
		dst = append(dst, "This array holds more than the "...)
		dst = strconv.AppendInt(dst, int64(e.Limit-e.Used), 10)
		dst = append(dst, " left, and an array is admitted whole or refused whole: split it, or try again"...)
		return e.appendIn(dst)
	}
	dst = append(dst, "The next one can succeed"...)
	return e.appendIn(dst)
}

// appendTooMany explains an array that could never pass, however long its
// sender waits.
func (e *Error) appendTooMany(dst []byte, what, without string) []byte {
	dst = append(dst, "This array holds more than "...)
	dst = appendCount(dst, e.Limit, what)
	dst = append(dst, " for one conversation, which is all that a bot may send there"...)
	dst = append(dst, without...)
	dst = e.appendWithin(dst)
	dst = append(dst, ". It can never succeed as a whole: split it into smaller arrays. The next one can succeed"...)
	dst = e.appendIn(dst)
	dst = append(dst, '.')
	if e.Code == ConsecutiveMessages {
		dst = append(append(dst, ' '), whatResets...)
	}
	return dst
}

func (e *Error) appendWithin(dst []byte) []byte {
	return appendShortDuration(append(dst, " within "...), e.Window)
}

func (e *Error) appendIn(dst []byte) []byte {
	dst = append(dst, " in "...)
	dst = strconv.AppendInt(dst, int64(max(e.RetryAfter, 1)), 10)
	return append(dst, " s"...)
}

func appendCount(dst []byte, n int, what string) []byte {
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = append(dst, ' ')
	dst = append(dst, what...)
	if n == 1 {
		return dst
	}
	return append(dst, 's')
}

// appendShortDuration writes 3m where time.Duration writes 3m0s. The µ of
// microseconds is written as u.
func appendShortDuration(dst []byte, d time.Duration) []byte {
	s := d.String() // on the stack: String is inlined
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-len("0s")]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-len("0m")]
	}
	if i := strings.Index(s, "µ"); i >= 0 {
		return append(append(append(dst, s[:i]...), 'u'), s[i+len("µ"):]...)
	}
	return append(dst, s...)
}
