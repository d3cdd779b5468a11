// Command testsum turns the output of `go test -json` into what a person wants
// to read: one line for each package, everything about what failed, and a count.
//
//	go test -json ./... | testsum -o unit.count
//	testsum -total *.count
//
// A skipped test fails the run: a tool that is missing must not look like a pass.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
)

// event is one line of `go test -json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string // empty for what concerns the whole package
	Output     string
}

// summary counts tests and keeps the output of those that have not ended yet.
type summary struct {
	passed, failed int
	broken         bool // a package failed outside of its tests: build, init, TestMain, race
	output         map[string][]string
	out            io.Writer
}

func main() {
	counts := flag.String("o", "", "file to write the counts to")
	total := flag.Bool("total", false, "add up the given files of counts and print the closing line")
	flag.Parse()

	var err error
	if *total {
		err = printTotal(os.Stdout, flag.Args())
	} else {
		err = follow(os.Stdin, os.Stdout, *counts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
}

// follow reads events until the end of in; its error says that something failed.
func follow(in io.Reader, out io.Writer, countsFile string) error {
	s := summary{output: map[string][]string{}, out: out}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(out, lines.Text()) // what go itself prints between the events
			continue
		}
		s.take(e)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("cannot read the test output: %w", err)
	}
	return s.finish(countsFile)
}

// take counts one event and prints what concerns a person now.
func (s *summary) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		if e.Test == "" && isPackageLine(e.Output) {
			fmt.Fprint(s.out, e.Output)
			return
		}
		s.output[key] = append(s.output[key], e.Output)
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "build-fail":
		s.broken = true
	case "pass":
		if e.Test != "" {
			s.passed++
		}
		delete(s.output, key)
	case "skip":
		if e.Test == "" { // a package without tests
			return
		}
		s.fail(key)
		fmt.Fprintf(s.out, "%s: skipped; a test that can't run must fail\n", key)
	case "fail":
		if e.Test == "" {
			s.broken = true
			s.show(key)
			return
		}
		s.fail(key)
	}
}

func (s *summary) fail(key string) {
	s.failed++
	s.show(key)
}

func (s *summary) show(key string) {
	fmt.Fprint(s.out, strings.Join(s.output[key], ""))
	delete(s.output, key)
}

// isPackageLine tells go test's own summary lines from other output of a package.
func isPackageLine(line string) bool {
	for _, prefix := range []string{"ok  \t", "FAIL\t", "?   \t", "\tgithub.com/", "\t\tgithub.com/"} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

func (s *summary) finish(countsFile string) error {
	for key := range s.output { // a test that never ended: a panic or a time-out
		if strings.HasSuffix(key, " ") {
			delete(s.output, key)
		}
	}
	unended := make([]string, 0, len(s.output))
	for key := range s.output {
		unended = append(unended, key)
	}
	sort.Strings(unended)
	if s.broken {
		for _, key := range unended {
			s.fail(key)
		}
		s.failed = max(s.failed, 1)
	}
	if countsFile != "" {
		counts := fmt.Sprintf("%d %d\n", s.passed, s.failed)
		if err := os.WriteFile(countsFile, []byte(counts), 0o644); err != nil {
			return fmt.Errorf("cannot write the counts: %w", err)
		}
	}
	if s.failed > 0 || s.broken {
		return fmt.Errorf("%d passed, %d failed", s.passed, s.failed)
	}
	if s.passed == 0 {
		return fmt.Errorf("no test ran")
	}
	return nil
}

// printTotal prints the closing line alone: `N passed, M failed`.
func printTotal(out io.Writer, files []string) error {
	passed, failed := 0, 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("cannot read the counts: %w", err)
		}
		var p, f int
		if _, err := fmt.Sscan(string(text), &p, &f); err != nil {
			return fmt.Errorf("cannot read the counts in %s: %w", name, err)
		}
		passed, failed = passed+p, failed+f
	}
	_, err := fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	return err
}
