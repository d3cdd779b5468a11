package gateway_test

import (
	"go/ast"
	"os"
	"regexp"
	"testing"
)

// The page of wire vectors names a test for each; a renamed or removed test must
// not leave a promise behind that nothing holds.
func TestTheWirePageNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	exists := map[string]bool{}
	for _, s := range parseAll(t) {
		for _, d := range s.tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && s.test {
				exists[f.Name.Name] = true
			}
		}
	}
	names := regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w+`).FindAllString(string(page), -1)
	if len(names) < 100 {
		t.Errorf("the page names only %d tests", len(names))
	}
	for _, name := range names {
		if !exists[name] {
			t.Errorf("docs/wire.md names %s, which does not exist", name)
		}
	}
}

// Every row of a table names a test.
func TestEveryWireVectorHasATest(t *testing.T) {
	page, err := os.ReadFile("docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile(`(?m)^\| [^-].*$`).FindAllString(string(page), -1) {
		if row[:9] != "| vector " && !regexp.MustCompile(`\| (Test|Fuzz)\w+(, (Test|Fuzz)\w+)* \|$`).MatchString(row) {
			t.Errorf("no test is named in %q", row)
		}
	}
}
