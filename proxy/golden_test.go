package proxy

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden exchanges anew")

// Each file in testdata is one exchange on the wire: what the client sends, what
// the upstream must have seen of it (nothing, when there is no such section),
// what it answered, and what the client must see. Lines end in CRLF on the wire.
func TestGoldenExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot find the golden exchanges: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := make(map[string]string)
			for _, f := range archive.Files {
				parts[f.Name] = wire(string(f.Data))
			}
			r := newRecorder(t, func(_, _ string) string { return parts["upstream answers"] })
			g := start(t, r, nil)
			got := stable(g.raw(t, parts["client sends"]))
			if *update {
				rewrite(t, file, archive, got, stable(r.bytes()))
				return
			}
			if want := stable(parts["client sees"]); got != want {
				t.Errorf("the client sees\n%s\nwant\n%s", got, want)
			}
			if got, want := stable(r.bytes()), stable(parts["upstream sees"]); got != want {
				t.Errorf("the upstream sees\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// rewrite writes down what happened as what must happen. Read the difference
// before you commit it.
func rewrite(t *testing.T, file string, a *txtar.Archive, client, upstream string) {
	t.Helper()
	for i := range a.Files {
		switch a.Files[i].Name {
		case "client sees":
			a.Files[i].Data = []byte(strings.ReplaceAll(client, "\r\n", "\n") + "\n")
		case "upstream sees":
			a.Files[i].Data = []byte(strings.ReplaceAll(upstream, "\r\n", "\n") + "\n")
		}
	}
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// wire gives a head CRLF line ends and keeps the body as it is, without the
// final newline that a text file has.
func wire(s string) string {
	head, body, found := strings.Cut(s, "\n\n")
	if !found {
		return strings.ReplaceAll(s, "\n", "\r\n")
	}
	return strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + strings.TrimSuffix(body, "\n")
}
