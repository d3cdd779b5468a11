package main

import (
	"path/filepath"
	"strings"
	"testing"
)

const output = `goos: linux
pkg: example.com/a
BenchmarkTake/1000 	    1000	       311.8 ns/op	       0 B/op	       0 allocs/op
BenchmarkRead      	    1000	       600.1 ns/op	 413.32 MB/s	  1000 B/op	       20 allocs/op
PASS
pkg: example.com/b
BenchmarkRead      	    1000	      1474 ns/op	       100 B/op	       1 allocs/op
ok  	example.com/b	2.701s
`

func TestGrowthOfMoreThanATenthFails(t *testing.T) {
	baseline := filepath.Join(t.TempDir(), "baseline")
	if err := run(strings.NewReader(output), &strings.Builder{}, baseline, true); err != nil {
		t.Fatal(err)
	}
	f := func(old, replacement, want string) {
		t.Helper()
		var out strings.Builder
		changed := strings.Replace(output, old, replacement, 1)
		err := run(strings.NewReader(changed), &out, baseline, false)
		if (err == nil) != (want == "") || !strings.Contains(out.String(), want) {
			t.Errorf("%q for %q: %v\n%s", replacement, old, err, out.String())
		}
	}
	f("", "", "")
	f("20 allocs/op", "22 allocs/op", "")
	f("20 allocs/op", "23 allocs/op", "example.com/a BenchmarkRead: 1000 B, 23 allocations; recorded are 1000 B, 20")
	f("0 allocs/op", "1 allocs/op", "BenchmarkTake/1000: 0 B, 1 allocations")
	f("1000 B/op", "1108 B/op", "")
	f("1000 B/op", "1109 B/op", "BenchmarkRead: 1109 B")
	f("1000 B/op", "10 B/op", "")
	f("311.8 ns/op", "9999 ns/op", "")
	f("pkg: example.com/b", "pkg: example.com/c", "example.com/b BenchmarkRead: recorded, and gone")
	f("pkg: example.com/b", "pkg: example.com/c", "example.com/c BenchmarkRead: not recorded yet (100 B, 1 allocations)")
}

func TestOfSeveralRunsTheLeastCounts(t *testing.T) {
	found, err := read(strings.NewReader("pkg: a\nBenchmarkRead 9 1 ns/op 70 B/op 1 allocs/op\nBenchmarkRead 9 1 ns/op 60 B/op 2 allocs/op\n"))
	if err != nil || found["a BenchmarkRead"] != (usage{60, 1}) {
		t.Errorf("%v, %v", found, err)
	}
}

func TestInputThatProvesNothingIsAnError(t *testing.T) {
	f := func(input string) {
		t.Helper()
		if found, err := read(strings.NewReader(input)); err == nil {
			t.Errorf("%q gave %v", input, found)
		}
	}
	f("")
	f("PASS\nok example.com/a 1s\n")
	f("BenchmarkRead 1000 1474 ns/op 12 MB/s\n")
	f(output + "--- FAIL: BenchmarkOther\n")
	f(output + "FAIL example.com/c [build failed]\n")
	if err := run(strings.NewReader(output), &strings.Builder{}, filepath.Join(t.TempDir(), "none"), false); err == nil {
		t.Error("compared with nothing")
	}
}
