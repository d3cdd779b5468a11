package apierror

import (
	"math"
	"time"
)

// Error is one answer that is no success, as values. The zero value is a 500.
// It is written with AppendJSON or AppendProblem; it is no Go error, because a
// refusal is a decision and not a failure.
type Error struct {
	Code       Code
	Status     int           // 0 means the code's own
	Message    string        // "" means the sentence that fits Code and the fields below
	Limit      int           // how many the rule allows in Window; 0 when no rule is behind it
	Window     time.Duration // 0 when no rule is behind it
	RetryAfter int           // whole seconds until a next try can succeed; 0 when unknown
	Used       int           // how many the rule had counted when it refused
	TooMany    bool          // the array alone exceeds Limit, so it can never pass whole
}

// RateLimited is a refusal of a request limit. code is RateLimitedIP or
// RateLimitedKey, wait the time until one more request could be admitted.
func RateLimited(code Code, limit int, window, wait time.Duration) Error {
	if code != RateLimitedIP && code != RateLimitedKey {
		panic("BUG: not the code of a request limit: " + code.String())
	}
	return Error{Code: code, Limit: limit, Used: limit, Window: window, RetryAfter: Seconds(wait)}
}

// Identical is a refusal of the rule on identical messages. used is how many
// were counted; it is below limit when an array was refused for which too
// little was left. tooMany says that the array alone exceeds the limit.
func Identical(limit, used int, window, wait time.Duration, tooMany bool) Error {
	return Error{
		Code: IdenticalMessages, Limit: limit, Used: used, Window: window,
		RetryAfter: Seconds(wait), TooMany: tooMany,
	}
}

// Consecutive is a refusal of the rule on consecutive messages. Its parameters
// are those of Identical.
func Consecutive(limit, used int, window, wait time.Duration, tooMany bool) Error {
	return Error{
		Code: ConsecutiveMessages, Limit: limit, Used: used, Window: window,
		RetryAfter: Seconds(wait), TooMany: tooMany,
	}
}

// Seconds turns a wait into what Retry-After carries: whole seconds, rounded
// up, at least 1.
func Seconds(wait time.Duration) int {
	if wait <= time.Second {
		return 1
	}
	if wait > math.MaxInt64-time.Second {
		return int(math.MaxInt64 / time.Second)
	}
	return int((wait + time.Second - 1) / time.Second)
}

// HTTPStatus is the status of the answer.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	return e.Code.Status()
}
