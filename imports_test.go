// Package gateway_test keeps the house in order: which room may import which,
// and how large a file or a function may grow. It reads the source itself, so
// that no cached list of packages can answer for it.
package gateway_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/chatshipper/gateway"

// The floors of the house. An import points to a strictly lower floor; the
// cellar alone may be used by everybody, itself included.
const cellar = -1

var floors = map[string]int{
	"internal/balance":  cellar,
	"internal/certs":    cellar,
	"internal/deadline": cellar,
	"internal/digest":   cellar,
	"internal/http1":    cellar,
	"internal/loop":     cellar,
	"internal/hint":     cellar,
	"internal/topk":     cellar,
	"internal/unit":     cellar,
	"internal/window":   cellar,

	"dashboards":          0,
	"limiter":             0,
	"loopguard":           0,
	"internal/accesslog":  0,
	"internal/apierror":   0,
	"internal/downstream": 0,
	"internal/identity":   0,
	"internal/sandbox":    0,
	"internal/systemd":    0,
	"internal/trace":      0,
	"internal/upstream":   0,

	"proxy":               1,
	"internal/admin":      1,
	"internal/console":    1,
	"internal/storetest":  1,
	"internal/snapshot":   1,
	"internal/redisstore": 1,

	"internal/config":   2,
	"internal/rehearse": 2,

	"cmd/gateway": 3,

	"e2e": 4,
}

// suite is what tests of every room may import: the promises that all stores keep.
const suite = "internal/storetest"

// hermits import nothing of ours, not even from the cellar: the sandbox must not
// share the bugs of what it tests, dashboards know the names of metrics only, and
// the end-to-end tests see only the binary.
var hermits = []string{"internal/sandbox", "dashboards", "e2e"}

// strangers are the libraries that a room must know nothing of.
var strangers = map[string][]string{
	"limiter":          {"net/http", "github.com/valyala/fasthttp", "gopkg.in/yaml.v3", "github.com/prometheus/client_golang"},
	"loopguard":        {"net/http", "github.com/valyala/fasthttp", "gopkg.in/yaml.v3", "github.com/prometheus/client_golang"},
	"internal/balance": {"net", "net/http", "gopkg.in/yaml.v3", "github.com/prometheus/client_golang"},
	"internal/window":  {"net/http", "github.com/valyala/fasthttp", "gopkg.in/yaml.v3", "github.com/prometheus/client_golang"},
	"internal/admin":   {"github.com/valyala/fasthttp"},
	"internal/console": {"github.com/valyala/fasthttp", "github.com/prometheus/client_golang"},
}

// templates call methods by name. With one of them in the program the linker
// must keep every method of every type, which nearly doubled it (26 MB, not 14)
// and took 2.6 MB more of memory after the start.
var templates = []string{"text/template", "html/template"}

// The budgets. They are hard stops: most files and functions are far smaller.
const (
	maxFileLines     = 400
	maxFunctionLines = 60
	maxMainLines     = 80
)

// source is one parsed file of ours.
type source struct {
	path  string // from the root, with slashes
	room  string // its folder
	lines int
	test  bool
	tree  *ast.File
	files *token.FileSet
}

func TestEveryImportOfOursPointsDown(t *testing.T) {
	for _, s := range parseAll(t) {
		if s.room == "." {
			continue // this file
		}
		floor, known := floors[s.room]
		if !known {
			t.Errorf("%s: the room %s stands on no floor yet: add it to `floors` in imports_test.go, one above the highest room that it imports", s.path, s.room)
			continue
		}
		for _, imported := range s.imports(t) {
			if s.test && imported == module+"/"+suite {
				continue
			}
			if problem := judge(s.room, floor, imported); problem != "" {
				t.Errorf("%s: %s", s.path, problem)
			}
		}
	}
}

func TestTheProgramHasNoTemplates(t *testing.T) {
	for _, s := range parseAll(t) {
		for _, imported := range s.imports(t) {
			if !s.test && slices.Contains(templates, imported) {
				t.Errorf("%s imports %s, which makes the linker keep every method of every type: write the text without it", s.path, imported)
			}
		}
	}
}

func TestEveryFloorHasItsRooms(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range parseAll(t) {
		seen[s.room] = true
	}
	for _, room := range slices.Sorted(maps.Keys(floors)) {
		if !seen[room] {
			t.Errorf("the room %s is listed in `floors` but holds no Go file: remove it from the list", room)
		}
	}
}

func TestFilesAndFunctionsKeepTheirBudgets(t *testing.T) {
	for _, s := range parseAll(t) {
		if s.test {
			continue
		}
		if s.lines > maxFileLines {
			t.Errorf("%s has %d lines, at most %d are allowed: is there a second room in it?", s.path, s.lines, maxFileLines)
		}
		if path.Base(s.path) == "main.go" && s.room == "cmd/gateway" && s.lines > maxMainLines {
			t.Errorf("%s has %d lines, at most %d are allowed: main is a translator, a command belongs into a file of its own", s.path, s.lines, maxMainLines)
		}
		for _, declaration := range s.tree.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if lines := s.span(function); lines > maxFunctionLines {
				t.Errorf("%s: the function %s has %d lines, at most %d are allowed: which part of it has a name of its own?", s.path, function.Name.Name, lines, maxFunctionLines)
			}
		}
	}
}

func TestTheJudgeOfImportsKnowsUpFromDown(t *testing.T) {
	f := func(room, imported string, want string) {
		t.Helper()
		got := judge(room, floors[room], imported)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("judge(%q, %q) = %q, want something with %q", room, imported, got, want)
		}
	}
	f("proxy", module+"/limiter", "")
	f("limiter", module+"/internal/window", "")
	f("internal/window", module+"/internal/digest", "")
	f("limiter", module+"/loopguard", "same floor")
	f("limiter", module+"/proxy", "points up")
	f("internal/window", module+"/limiter", "points up")
	f("internal/sandbox", module+"/internal/unit", "nothing of ours")
	f("e2e", module+"/cmd/gateway", "nothing of ours")
	f("proxy", module+"/internal/unheard", "no floor yet")
	f("loopguard", "net/http", "must know nothing of net/http")
	f("loopguard", "net/http/httptest", "must know nothing of net/http")
	f("loopguard", "net/netip", "")
}

// judge says what is wrong with an import, or nothing.
func judge(room string, floor int, imported string) string {
	for _, stranger := range strangers[room] {
		if imported == stranger || strings.HasPrefix(imported, stranger+"/") {
			return fmt.Sprintf("the room %s must know nothing of %s", room, stranger)
		}
	}
	target, ours := strings.CutPrefix(imported, module+"/")
	if !ours || target == room { // a room's outside tests import the room
		return ""
	}
	targetFloor, known := floors[target]
	switch {
	case slices.Contains(hermits, room):
		return fmt.Sprintf("the room %s must import nothing of ours, but imports %s", room, target)
	case !known:
		return fmt.Sprintf("imports the room %s, which stands on no floor yet", target)
	case targetFloor == cellar:
		return ""
	case targetFloor == floor:
		return fmt.Sprintf("imports %s, its neighbour on the same floor %d: what both need belongs one floor down", target, floor)
	case targetFloor > floor:
		return fmt.Sprintf("imports %s on floor %d from floor %d: an import points up", target, targetFloor, floor)
	}
	return ""
}

func (s source) imports(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, spec := range s.tree.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatalf("%s: cannot read the import %s: %v", s.path, spec.Path.Value, err)
		}
		paths = append(paths, imported)
	}
	return paths
}

// span is the number of lines from `func` to the closing brace.
func (s source) span(function *ast.FuncDecl) int {
	return s.files.Position(function.End()).Line - s.files.Position(function.Pos()).Line + 1
}

// parseAll parses every Go file of this module, tests included.
func parseAll(t *testing.T) []source {
	t.Helper()
	var sources []source
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return enter(name)
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		s, err := parse(name)
		sources = append(sources, s)
		return err
	})
	if err != nil {
		t.Fatalf("cannot read the source: %v", err)
	}
	if len(sources) == 0 {
		t.Fatal("found no Go file: the test must run in the root of the module")
	}
	return sources
}

// enter leaves out what is no source of this module: hidden folders, test data,
// other people's code, and modules of their own (tools, benchmarks).
func enter(name string) error {
	base := filepath.Base(name)
	if name == "." {
		return nil
	}
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" || base == "vendor" {
		return fs.SkipDir
	}
	_, err := os.Stat(filepath.Join(name, "go.mod"))
	if err == nil {
		return fs.SkipDir
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func parse(name string) (source, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, err
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	slashed := filepath.ToSlash(name)
	return source{
		path:  slashed,
		room:  path.Dir(slashed),
		lines: strings.Count(string(text), "\n"),
		test:  strings.HasSuffix(name, "_test.go"),
		tree:  tree,
		files: files,
	}, nil
}
