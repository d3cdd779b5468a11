package upstream

import (
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/balance"
)

func TestOperatorsAreToldOfEachServer(t *testing.T) {
	b := play(t, always(okAnswer))
	dead := nobody(t)
	f, _ := fleetOf(t, []string{dead, b.address()})
	for range 12 {
		if _, err := do(f, post("x")); err != nil {
			t.Fatal(err)
		}
	}
	servers := f.Servers()
	if len(servers) != 2 {
		t.Fatalf("got %+v", servers)
	}
	one, other := servers[0], servers[1]
	if one.Address != dead || one.Circuit != "open" || one.Wait < 4 || one.Last == nil || one.Last.Cause != "connect" || time.Since(one.Last.At) > time.Minute {
		t.Errorf("the dead one: %+v", one)
	}
	want := Server{Address: b.address(), Circuit: "closed", Requests: 12, Open: 1, Idle: 1}
	if other != want {
		t.Errorf("the other: %+v, want %+v", other, want)
	}
}

func TestWhatAnAnswerTellsOfItsAddress(t *testing.T) {
	f := func(reason Reason, want balance.Result) {
		t.Helper()
		if got := resultOf(&Error{Reason: reason}, 0); got != want {
			t.Errorf("%s: got %d, want %d", reason, got, want)
		}
	}
	f(ReasonDNS, balance.Unreachable)
	f(ReasonConnect, balance.Unreachable)
	f(ReasonTLS, balance.Unreachable)
	f(ReasonTimeout, balance.Bad)
	f(ReasonReset, balance.Bad)
	f(ReasonTruncated, balance.Bad)
	f(ReasonInvalid, balance.Bad)
	f(ReasonNoFreeConns, balance.Neutral)
	f(ReasonSource, balance.Neutral)
	for status, want := range map[int]balance.Result{
		200: balance.Good, 404: balance.Good, 429: balance.Good, 500: balance.Good, 501: balance.Good, 505: balance.Good,
		502: balance.Bad, 503: balance.Bad, 504: balance.Bad,
	} {
		if got := resultOf(nil, status); got != want {
			t.Errorf("%d: got %d, want %d", status, got, want)
		}
	}
}
