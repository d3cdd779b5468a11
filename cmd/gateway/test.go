package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/chatshipper/gateway/internal/config"
	"github.com/chatshipper/gateway/internal/rehearse"
)

// runTest plays the cases of some files in virtual time.
func runTest(_ context.Context, args []string, c console) error {
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	verbose := fs.Bool("v", false, "name the cases that pass too")
	only := fs.String("run", "", "play only the cases whose name matches `REGEXP`")
	files, err := parseFiles(fs, args, c)
	if err != nil {
		return err
	}
	t := tester{console: c, verbose: *verbose, houses: make(map[string]*rehearse.House)}
	if t.only, err = regexp.Compile(*only); err != nil {
		return usageError(fmt.Sprintf("gateway test: cannot read -run: %v", err))
	}
	defer t.close()
	var wrong error
	for _, file := range files {
		wrong = errors.Join(wrong, t.file(file))
	}
	switch {
	case wrong != nil:
		return &failure{exitConfig, wrong}
	case t.failed:
		return &failure{exitFailed, errors.New("")}
	}
	return nil
}

// parseFiles reads the flags of a command that takes files.
func parseFiles(fs *flag.FlagSet, args []string, c console) ([]string, error) {
	flags, files := args, []string(nil)
	fs.SetOutput(io.Discard)
	if fs.Parse(args) == nil {
		files = fs.Args()
		flags = args[:len(args)-len(files)]
	}
	if err := parseFlags(fs, flags, c); err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, usageError(fmt.Sprintf("gateway %s: name at least one file", fs.Name()))
	}
	return files, nil
}

// tester plays files of cases, and prints what became of them as `go test` does.
type tester struct {
	console console
	verbose bool
	only    *regexp.Regexp
	houses  map[string]*rehearse.House // by the configuration's path
	failed  bool
}

func (t *tester) close() {
	for _, h := range t.houses {
		h.Close()
	}
}

// file plays one file. Errors are mistakes in it, or in a configuration that it
// names.
func (t *tester) file(path string) error {
	var suite rehearse.Suite
	places, err := config.DecodeFile(path, &suite, os.LookupEnv)
	if err != nil {
		return err
	}
	sum := tally{path: path, places: places}
	for i := range suite.Cases {
		played := &suite.Cases[i]
		if !t.only.MatchString(played.Name) {
			continue
		}
		house, err := t.house(path, played.Config, suite.Config)
		if err != nil {
			return err
		}
		o := house.Play(played)
		sum.add(&o)
		t.report(&sum, i, played.Name, &o)
	}
	t.conclude(&sum)
	return nil
}

// tally is what became of the cases of one file.
type tally struct {
	path                    string
	places                  config.Places
	cases, failed, requests int
	spans                   time.Duration
}

func (s *tally) add(o *rehearse.Outcome) {
	s.cases, s.requests, s.spans = s.cases+1, s.requests+o.Requests, s.spans+o.Spans
	if len(o.Failures) > 0 {
		s.failed++
	}
}

// house compiles a configuration once: the case's, else the file's, else the
// defaults. A path starts in the directory of the file of cases.
func (t *tester) house(file string, names ...string) (*rehearse.House, error) {
	path := ""
	for _, name := range names {
		if path == "" && name != "" {
			path = name
			if !filepath.IsAbs(name) {
				path = filepath.Join(filepath.Dir(file), name)
			}
		}
	}
	if h := t.houses[path]; h != nil {
		return h, nil
	}
	cfg := config.Default()
	if path != "" {
		loaded, err := config.Load(path, os.LookupEnv)
		if err != nil {
			return nil, err
		}
		cfg = *loaded
	}
	h, err := rehearse.New(corridor(&cfg))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t.houses[path] = h
	return h, nil
}

func (t *tester) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.console.out, format, args...) // a closed pipe is no reason to stop
}

// report prints one case, the number-th of its file.
func (t *tester) report(s *tally, number int, name string, o *rehearse.Outcome) {
	if len(o.Failures) == 0 {
		if t.verbose {
			t.printf("--- PASS: %s (%d requests in %s)\n", name, o.Requests, o.Spans)
		}
		return
	}
	t.printf("--- FAIL: %s (%d requests in %s)\n", name, o.Requests, o.Spans)
	for i := range o.Failures {
		f := &o.Failures[i]
		line := s.places.Line(fmt.Sprintf("cases[%d].timeline[%d]", number, f.Step))
		t.printf("    %s:%d: at %s, request %d: %s\n", s.path, line, f.At, f.Number, f.Request)
		t.printf("        expected: %s\n        got:      %s\n", f.Expected, f.Got)
		for _, c := range f.Counters {
			t.printf("        counter:  %s\n", c)
		}
	}
}

// conclude prints the last line of a file. No case at all is a failure: a typing
// mistake must not look like success.
func (t *tester) conclude(s *tally) {
	t.failed = t.failed || s.failed > 0 || s.cases == 0
	switch {
	case s.cases == 0:
		t.printf("FAIL\t%s\tno case has a name that matches -run\n", s.path)
	case s.failed > 0:
		t.printf("FAIL\t%s\t%d of %d cases failed\t%d requests in %s of virtual time\n", s.path, s.failed, s.cases, s.requests, s.spans)
	default:
		t.printf("ok  \t%s\t%d cases\t%d requests in %s of virtual time\n", s.path, s.cases, s.requests, s.spans)
	}
}
