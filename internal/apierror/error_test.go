package apierror

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRefusalsSayWhichRuleHowManyAndWhen(t *testing.T) {
	f := func(e Error, want string) {
		t.Helper()
		if diff := cmp.Diff(want, string(e.AppendMessage(nil))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	f(RateLimited(RateLimitedIP, 20, time.Second, 300*time.Millisecond),
		"Your IP address reached its limit of 20 requests within 1s. The next one can succeed in 1 s. "+
			"Refused requests do not count, so wait instead of trying again at once.")
	f(RateLimited(RateLimitedKey, 1, 90*time.Minute, 61*time.Minute),
		"Your API key reached its limit of 1 request within 1h30m. The next one can succeed in 3660 s. "+
			"Refused requests do not count, so wait instead of trying again at once.")
	f(Identical(8, 8, 3*time.Minute, 170100*time.Millisecond, false),
		"Your bot sent 8 identical messages to this conversation within 3m; at most 8 are allowed. The next one can succeed in 171 s. "+
			"A reply does not reset this rule: send something else, or stop the loop.")
	f(Identical(8, 5, 3*time.Minute, 100*time.Second, false),
		"Your bot sent 5 identical messages to this conversation within 3m; at most 8 are allowed. "+
			"This array holds more than the 3 left, and an array is admitted whole or refused whole: split it, or try again in 100 s. "+
			"A reply does not reset this rule: send something else, or stop the loop.")
	f(Identical(8, 0, 3*time.Minute, 0, true),
		"This array holds more than 8 identical messages for one conversation, which is all that a bot may send there within 3m. "+
			"It can never succeed as a whole: split it into smaller arrays. The next one can succeed in 1 s.")
	f(Consecutive(20, 20, time.Hour, 30*time.Minute, false),
		"Your bot sent 20 messages to this conversation without a reply within 1h; at most 20 are allowed. The next one can succeed in 1800 s, or as soon as somebody replies. "+
			"A reply of an agent or the consumer resets this rule; a message of another bot does not.")
	f(Consecutive(20, 1, time.Hour, time.Minute, false),
		"Your bot sent 1 message to this conversation without a reply within 1h; at most 20 are allowed. "+
			"This array holds more than the 19 left, and an array is admitted whole or refused whole: split it, or try again in 60 s, or as soon as somebody replies. "+
			"A reply of an agent or the consumer resets this rule; a message of another bot does not.")
	f(Consecutive(20, 3, time.Hour, 0, true),
		"This array holds more than 20 messages for one conversation, which is all that a bot may send there without a reply within 1h. "+
			"It can never succeed as a whole: split it into smaller arrays. The next one can succeed in 1 s. "+
			"A reply of an agent or the consumer resets this rule; a message of another bot does not.")
	f(Error{Code: IdenticalMessages}, IdenticalMessages.Message())
	f(Error{Code: PayloadTooLarge, Limit: 9}, PayloadTooLarge.Message())
	f(Error{Message: "mine", Limit: 9}, "mine")
}

func TestSentencesOfRefusalsNeedNoEscaping(t *testing.T) {
	for _, window := range []time.Duration{0, 1, 1500, time.Millisecond, time.Second, 90 * time.Second, time.Hour, 24 * time.Hour, math.MaxInt64} {
		for _, code := range Codes() {
			for _, tooMany := range []bool{false, true} {
				e := Error{Code: code, Limit: 3, Used: 2, Window: window, TooMany: tooMany}
				if m := string(e.AppendMessage(nil)); needsEscaping(m) {
					t.Errorf("%s: %q", code, m)
				}
			}
		}
	}
}

func TestARefusalOfARequestLimitTakesOnlyItsOwnCodes(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "BUG: ") {
			t.Errorf("want a panic that starts with BUG, got %q", got)
		}
	}()
	RateLimited(IdenticalMessages, 1, 1, 1)
}

func TestRetryAfterIsWholeSecondsRoundedUpAtLeastOne(t *testing.T) {
	f := func(wait time.Duration, want int) {
		t.Helper()
		if got := Seconds(wait); got != want {
			t.Errorf("Seconds(%s) = %d, want %d", wait, got, want)
		}
	}
	f(-time.Second, 1)
	f(0, 1)
	f(1, 1)
	f(time.Second, 1)
	f(time.Second+1, 2)
	f(171*time.Second, 171)
	f(math.MaxInt64, 9223372036)
}

func TestAnErrorHasTheDocumentedShape(t *testing.T) {
	f := func(e Error, want string) {
		t.Helper()
		if diff := cmp.Diff(want, string(e.AppendJSON(nil))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	f(Error{Code: IdenticalMessages, Message: "m", Limit: 8, Window: 3 * time.Minute, RetryAfter: 171},
		`{"message":"m","status":429,"error":{"code":"identical_messages","message":"m","limit":8,"window":"3m0s","retryAfter":171}}`)
	f(Error{Code: Unauthenticated, Message: "jwt expired"},
		`{"message":"jwt expired","status":401,"error":{"code":"unauthenticated","message":"jwt expired"}}`)
	f(Error{Code: UpstreamTimeout, Status: 504, Message: "m", RetryAfter: 1},
		`{"message":"m","status":504,"error":{"code":"upstream_timeout","message":"m","retryAfter":1}}`)
	f(Error{Message: "a\"b\\c\n\x00\x7fé\xff\u2028"},
		`{"message":"a\"b\\c\u000a\u0000\u007fé�`+"\u2028"+`","status":500,"error":{"code":"internal","message":"a\"b\\c\u000a\u0000\u007fé�`+"\u2028"+`"}}`)
	f(Error{}, `{"message":"`+Internal.Message()+`","status":500,"error":{"code":"internal","message":"`+Internal.Message()+`"}}`)
}

func TestAProblemHasTheFormOfTheRFCAndOurMessage(t *testing.T) {
	f := func(e Error, want string) {
		t.Helper()
		if diff := cmp.Diff(want, string(e.AppendProblem(nil))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	const uri = "https://iana.org/assignments/http-problem-types#"
	f(Error{Code: RateLimitedKey, Message: "m", Limit: 20, Window: time.Second, RetryAfter: 1},
		`{"type":"`+uri+`quota-exceeded","title":"Quota exceeded","status":429,"detail":"m","message":"m","code":"rate_limited_key","limit":20,"window":"1s","retryAfter":1,"violated-policies":["per_key"],`+
			`"error":{"code":"rate_limited_key","message":"m","limit":20,"window":"1s","retryAfter":1}}`)
	f(Error{Code: ConsecutiveMessages, Message: "m"},
		`{"type":"`+uri+`abnormal-usage-detected","title":"Abnormal usage detected","status":429,"detail":"m","message":"m","code":"consecutive_messages","violated-policies":["consecutive"],"error":{"code":"consecutive_messages","message":"m"}}`)
	f(Error{Code: Draining, Message: "m", RetryAfter: 5},
		`{"type":"`+uri+`temporary-reduced-capacity","title":"Temporarily reduced capacity","status":503,"detail":"m","message":"m","code":"draining","retryAfter":5,"error":{"code":"draining","message":"m","retryAfter":5}}`)
	f(Error{Code: PayloadTooLarge, Message: "m"},
		`{"type":"about:blank","title":"Content Too Large","status":413,"detail":"m","message":"m","code":"payload_too_large","error":{"code":"payload_too_large","message":"m"}}`)
}

func TestEveryErrorIsJSONInBothForms(t *testing.T) {
	for _, code := range Codes() {
		for _, e := range []Error{{Code: code}, {Code: code, Limit: 8, Window: time.Minute, RetryAfter: 3, TooMany: true}} {
			for _, b := range [][]byte{e.AppendJSON(nil), e.AppendProblem(nil)} {
				var got struct {
					Message string
					Status  int
					Error   struct{ Code, Message string }
				}
				if err := json.Unmarshal(b, &got); err != nil {
					t.Fatalf("%s: %s: %s", code, err, b)
				}
				if got.Message == "" || got.Error.Message != got.Message || got.Error.Code != code.String() || got.Status != code.Status() {
					t.Errorf("%s: %s", code, b)
				}
			}
		}
	}
}
