package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatshipper/gateway/bench/internal/exact"
	"github.com/chatshipper/gateway/bench/internal/peer"
)

// limited answers 429 to more than limit requests of a key, ever.
func limited(t *testing.T, limit int, header, prefix string) string {
	t.Helper()
	var mu sync.Mutex
	seen := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		key, found := strings.CutPrefix(r.Header.Get(header), prefix)
		if seen[key]++; !found || key == "" {
			w.WriteHeader(http.StatusBadRequest)
		} else if seen[key] > limit {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestTheHeaderTellsKeysApart(t *testing.T) {
	f := func(header, name, prefix string) {
		t.Helper()
		target, err := newTarget(limited(t, 1, name, prefix), header, []int{429}, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			key     string
			refused bool
		}{{"a", false}, {"a", true}, {"b", false}, {"b", true}} {
			if refused, err := target.send(step.key); refused != step.refused || err != nil {
				t.Errorf("%s, key %s: refused %v, %v", header, step.key, refused, err)
			}
		}
	}
	f("Authorization: Bearer {key}", "Authorization", "Bearer ")
	f("x-api-key:{key}", "X-Api-Key", "")
}

func TestAnyOtherStatusIsAnError(t *testing.T) {
	target, err := newTarget(limited(t, 1, "X-Key", ""), "X-Other: {key}", []int{429}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.send("a"); err == nil || !strings.Contains(err.Error(), "400 Bad Request") {
		t.Errorf("the error is %v", err)
	}
}

func TestWhatIsNotExactIsTheExitCode(t *testing.T) {
	var out strings.Builder
	// Blocks for ever: the second burst finds that out.
	err := run([]string{"-url", limited(t, 5, "X-Key", ""), "-header", "X-Key: {key}", "-limit", "5", "-window", "300ms", "-concurrency", "4"}, &out)
	if !errors.Is(err, errNotExact) {
		t.Errorf("the error is %v", err)
	}
	for _, want := range []string{"burst         refuses too many", "5 wrong refusals", "reload        not run"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("cannot find %q in:\n%s", want, out.String())
		}
	}
}

func TestFlagsThatFindNothingOutAreRefused(t *testing.T) {
	f := func(args ...string) {
		t.Helper()
		if err := run(args, &strings.Builder{}); err == nil || errors.Is(err, errNotExact) {
			t.Errorf("%v: %v", args, err)
		}
	}
	f()
	f("-url", "http://127.0.0.1:1", "surplus")
	f("-url", "http://127.0.0.1:1", "-limit", "1")
	f("-url", "http://127.0.0.1:1", "-window", "0s")
	f("-url", "http://127.0.0.1:1", "-header", "X-Key: without a place")
	f("-url", "http://127.0.0.1:1", "-refused", "many")
	f("-url", "http://127.0.0.1:1") // nobody listens
	f("-compare", "-limit", "30")
}

func TestTheReloadCommandRunsAndItsFailureIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ran")
	if err := shell("touch " + file)(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if err := shell("echo no such thing; false")(); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("the error is %v", err)
	}
	if shell("") != nil {
		t.Error("there is a hook without a command")
	}
}

func TestTheTableHasAColumnForEachAndARowForEachCheck(t *testing.T) {
	limiters := peer.Limiters("gateway")[:2]
	found := map[string][]exact.Result{
		limiters[0].Name: {{Check: "burst", Verdict: exact.Exact, Worst: 20}},
		limiters[1].Name: {{Check: "burst", Verdict: exact.Under, Worst: 20, Wrong: 7, Detail: "why"}},
	}
	text := markdown(limiters, found, []string{"Machine: some"}, "go run ./exactness -compare")
	for _, want := range []string{
		"`go run ./exactness -compare`", time.Now().UTC().Format("2006-"), "- Machine: some",
		"| check | gateway | HAProxy stick table |\n|---|---|---|\n",
		"| burst | **exact**; worst window 20 | **refuses too many**; worst window 20, 7 wrong refusals; why |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("cannot find %q in:\n%s", want, text)
		}
	}
}
