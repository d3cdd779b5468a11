package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the mistakes that are found into testdata")

// Every testdata/NAME.bad.yaml has the mistakes that must be found in it beside
// it, in NAME.bad.txt, one a line.
func TestMistakesAreNamedWhereTheyAre(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot find the files: %v", err)
	}
	getenv := environment("EMPTY", "", "WORD", "hello world", "OCTAL", "020", "BYTES", "\xff", "CANARY", "c4n4ry")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(filepath.Base(file), data, getenv)
			if err == nil {
				t.Fatal("no mistake was found")
			}
			compare(t, strings.TrimSuffix(file, "yaml")+"txt", err.Error()+"\n")
			if strings.Contains(err.Error(), "c4n4ry") {
				t.Errorf("a mistake shows what may be a secret:\n%s", err)
			}
		})
	}
}

// compare holds got to the content of a file.
func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("unexpected result, other than %s (-want +got):\n%s", file, diff)
	}
}
