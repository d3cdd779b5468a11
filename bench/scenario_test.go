package main

import (
	"testing"

	"github.com/chatshipper/gateway/bench/internal/load"
	"github.com/chatshipper/gateway/bench/internal/peer"
)

func TestRunsThatDoNotCount(t *testing.T) {
	f := func(name string, s scenario, r load.Result, seen int64, counts bool) {
		t.Helper()
		s.connections = 64
		if verdict := s.verdict(r, seen, 3); (verdict == "") != counts {
			t.Errorf("%s: %q", name, verdict)
		}
	}
	f("all answered", scenario{}, load.Result{Requests: 1000}, 1000, true)
	f("some in flight at the end", scenario{}, load.Result{Requests: 1000}, 1064, true)
	f("a request that the upstream did not see", scenario{}, load.Result{Requests: 1000}, 999, false)
	f("requests that were sent twice", scenario{}, load.Result{Requests: 1000}, 1065, false)
	f("an unexpected status", scenario{}, load.Result{Requests: 1000, Status: 1}, 999, false)
	f("a broken connection", scenario{}, load.Result{Requests: 1000, Read: 1}, 1000, false)
	f("a timeout", scenario{}, load.Result{Requests: 1000, Timeout: 1}, 1000, false)
	f("refused but for 20 each second", scenario{refused: true}, load.Result{Requests: 90_000, Status: 89_920}, 80, true)
	f("refused, and yet sent on", scenario{refused: true}, load.Result{Requests: 90_000, Status: 90_000}, 5000, false)
	f("not refused", scenario{refused: true}, load.Result{Requests: 90_000, Status: 50_000}, 40_000, false)
}

func TestScenariosAreChosenByID(t *testing.T) {
	all, err := choose("")
	if err != nil || len(all) != len(scenarios) {
		t.Errorf("%d of %d, %v", len(all), len(scenarios), err)
	}
	two, err := choose("large,get")
	if err != nil || len(two) != 2 || two[0].id != "get" || two[1].id != "large" {
		t.Errorf("%v, %v", two, err)
	}
	if _, err := choose("get,got"); err == nil {
		t.Error("an unknown scenario was taken")
	}
}

func TestPeersAreChosenByPartsOfTheirNames(t *testing.T) {
	all := peer.All("gateway")
	f := func(parts string, want int) {
		t.Helper()
		if got := some(all, parts); len(got) != want || got[0].Name != peer.Gateway {
			t.Errorf("%q chose %d", parts, len(got))
		}
	}
	f("", len(all))
	f("haproxy", 4)
	f("bare,copy", 5)
	f("nobody", 1)
}

func TestOnlyWhoRefusesTakesPartInRefusals(t *testing.T) {
	for _, p := range peer.All("gateway") {
		if got := (&scenario{refused: true}).takes(&p); got != p.Policy {
			t.Errorf("%s takes part: %v", p.Name, got)
		}
	}
}

func TestFlagsThatMeasureNothingAreRefused(t *testing.T) {
	f := func(args ...string) {
		t.Helper()
		if o, err := parse(args); err == nil {
			t.Errorf("%v gave %+v", args, o)
		}
	}
	f("-rounds", "0")
	f("-seconds", "0")
	f("surplus")
	f("-no-such-flag")
}

func TestTheCommandNamesNoPathOfThisMachine(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		if got := commandLine(args); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f("go run .")
	f("go run . -rounds 3 -gateway BINARY -smoke", "-rounds", "3", "-gateway", "/somewhere/gateway", "-smoke")
	f("go run . -gateway", "-gateway")
}
