package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Mistake is one thing that is wrong in a configuration file.
type Mistake struct {
	File    string
	Line    int    // from 1; 0 when the whole file is meant
	Column  int    // from 1, in characters
	Path    string // for example limits.per_ip.requests; empty when it belongs to no key
	Problem string // what is wrong, what was expected, and perhaps what was meant
}

// String is the mistake as people and editors read it: FILE:LINE:COLUMN: PATH: PROBLEM.
func (m Mistake) String() string {
	s := m.File
	if m.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column)
	}
	if m.Path != "" {
		s += ": " + m.Path
	}
	return s + ": " + m.Problem
}

// Mistakes is every mistake of a configuration, in the order of the file.
type Mistakes struct { //nolint:errname // it is a list that happens to be an error
	List []Mistake
}

// Error is one line for each mistake.
func (m *Mistakes) Error() string {
	lines := make([]string, len(m.List))
	for i := range m.List {
		lines[i] = m.List[i].String()
	}
	return strings.Join(lines, "\n")
}

// position is a place in the file. Both numbers count from 1.
type position struct{ line, column int }

// origin says where a value was set.
type origin struct {
	position
	environment []string // the variables that gave it, if any did
}

// origins maps the path of every key and list item of the file to its origin.
type origins map[string]origin

// nearest is where path stands in the file, or else the block it belongs to.
func (o origins) nearest(path string) position {
	for path != "" {
		if at, ok := o[path]; ok {
			return at.position
		}
		path = parent(path)
	}
	return position{1, 1}
}

// set returns the one of two paths that the file sets, or else the first.
func (o origins) set(first, second string) string {
	if _, ok := o[first]; ok {
		return first
	}
	if _, ok := o[second]; ok {
		return second
	}
	return first
}

// parent cuts the last key or index off a path.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// join appends a key to a path. Either may be empty.
func join(path, key string) string {
	if path == "" || key == "" {
		return path + key
	}
	return path + "." + key
}

// blame records a mistake at a place in the file.
func (l *loader) blame(at position, path, problem string) {
	l.list = append(l.list, Mistake{File: l.file, Line: at.line, Column: at.column, Path: path, Problem: problem})
}

// report records what a room finds wrong with the value at path. It keeps
// silent when the file's own mistake is already known to be the reason.
func (l *loader) report(path, problem string) {
	if !l.explained(path) {
		l.blame(l.origins.nearest(path), path, l.hide(path, problem))
	}
}

// hide takes what came from the environment out of a sentence about it: it may
// be a secret in the wrong place.
func (l *loader) hide(path, problem string) string {
	text, variables := l.given[path], l.origins[path].environment
	if text == "" || len(variables) == 0 {
		return problem
	}
	name := "the value of environment variable " + strings.Join(variables, ", ")
	if before, _, found := strings.Cut(problem, ", got "); found {
		problem = before + ", got " + name // which may be only a part of it
	}
	return strings.ReplaceAll(strings.ReplaceAll(problem, strconv.Quote(text), name), text, name)
}

// explained reports whether the value at path is only a default, because what
// the file says there could not be read.
func (l *loader) explained(path string) bool {
	return slices.ContainsFunc(l.unread, func(unread string) bool {
		return unread == path || inside(path, unread) || parent(unread) == path
	})
}

// inside reports whether path is below block.
func inside(path, block string) bool {
	rest, ok := strings.CutPrefix(path, block)
	return block == "" || ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

func (l *loader) mistakes() *Mistakes {
	slices.SortStableFunc(l.list, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Mistakes{List: l.list}
}

// cause strips the operation and the path off an error of package os, because
// the mistake names the file already.
func cause(err error) error {
	if wrapped := new(fs.PathError); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
