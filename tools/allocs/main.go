// Command allocs compares what benchmarks allocate with what was recorded, and
// fails when it grew by more than a tenth. Times it ignores: they say more about
// the machine than about the change.
//
//	go test -bench . -benchmem -benchtime 10000x -cpu 1 ./... | allocs -baseline FILE
//	go test -bench . -benchmem -benchtime 10000x -cpu 1 ./... | allocs -baseline FILE -record
//
// The number of iterations has to be the same each time, because tables that grow
// are shared out among them.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// slack is how many bytes for each operation a benchmark may gain beyond the
// tenth: one more page, shared out among 10,000 iterations.
const slack = 8

// usage is what one operation allocates.
type usage struct{ bytes, allocs int64 }

func main() {
	baseline := flag.String("baseline", "", "file of what was recorded")
	record := flag.Bool("record", false, "write the baseline instead of comparing with it")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *baseline, *record); err != nil {
		fmt.Fprintln(os.Stderr, "allocs:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, baseline string, record bool) error {
	measured, err := read(in)
	if err != nil {
		return err
	}
	if record {
		return write(baseline, measured)
	}
	recorded, err := load(baseline)
	if err != nil {
		return err
	}
	faults := compare(recorded, measured)
	for _, fault := range faults {
		fmt.Fprintln(out, fault)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%d of %d benchmarks differ from %s; if that is meant: make baseline", len(faults), len(measured), baseline)
	}
	fmt.Fprintf(out, "   %d benchmarks allocate what was recorded, or less\n", len(measured))
	return nil
}

// read reads the output of go test; a benchmark is known by package and name. Of
// several runs the least counts: a collection of garbage in between empties pools.
func read(in io.Reader) (map[string]usage, error) {
	found := map[string]usage{}
	pkg := ""
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 2 && fields[0] == "pkg:":
			pkg = fields[1]
		case len(fields) > 0 && (fields[0] == "FAIL" || fields[0] == "---"):
			return nil, fmt.Errorf("the benchmarks failed: %s", lines.Text())
		case len(fields) > 4 && strings.HasPrefix(fields[0], "Benchmark"):
			u, err := usageOf(fields)
			if err != nil {
				return nil, fmt.Errorf("cannot read %q: %w", lines.Text(), err)
			}
			name := pkg + " " + fields[0]
			if least, again := found[name]; again {
				u = usage{min(u.bytes, least.bytes), min(u.allocs, least.allocs)}
			}
			found[name] = u
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the benchmarks: %w", err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("cannot find any benchmark in the input")
	}
	return found, nil
}

// usageOf finds the figures before "B/op" and "allocs/op".
func usageOf(fields []string) (u usage, err error) {
	bytes, allocs := slices.Index(fields, "B/op"), slices.Index(fields, "allocs/op")
	if bytes < 1 || allocs < 1 {
		return u, fmt.Errorf("no B/op and allocs/op: -benchmem is missing")
	}
	if u.bytes, err = strconv.ParseInt(fields[bytes-1], 10, 64); err != nil {
		return u, err
	}
	u.allocs, err = strconv.ParseInt(fields[allocs-1], 10, 64)
	return u, err
}

// compare tells, in the order of names, what grew, is new or is gone.
func compare(recorded, measured map[string]usage) (faults []string) {
	all := maps.Clone(recorded)
	maps.Copy(all, measured)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		was, known := recorded[name]
		is, ran := measured[name]
		switch {
		case !known:
			faults = append(faults, fmt.Sprintf("%s: not recorded yet (%d B, %d allocations)", name, is.bytes, is.allocs))
		case !ran:
			faults = append(faults, name+": recorded, and gone")
		case 10*is.allocs > 11*was.allocs, 10*is.bytes > 11*was.bytes+10*slack:
			faults = append(faults, fmt.Sprintf("%s: %d B, %d allocations; recorded are %d B, %d", name, is.bytes, is.allocs, was.bytes, was.allocs))
		}
	}
	return faults
}

func write(path string, measured map[string]usage) error {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(measured)) {
		fmt.Fprintf(&b, "%s %d B/op %d allocs/op\n", name, measured[name].bytes, measured[name].allocs)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("cannot write the baseline: %w", err)
	}
	return nil
}

func load(path string) (map[string]usage, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the baseline: %w", err)
	}
	recorded := map[string]usage{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		u, err := usageOf(fields)
		if err != nil {
			return nil, fmt.Errorf("cannot read %q in %s: %w", line, path, err)
		}
		recorded[fields[0]+" "+fields[1]] = u
	}
	return recorded, nil
}
