package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/chatshipper/gateway/proxy"
)

// shown is what a gateway told, kept in a file.
func shown(t *testing.T) (s sight) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "overview.json"))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAFrameOfTop(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	s := shown(t)
	got := strings.Join(s.frame(plain, onceColumns, onceLines), "\n") + "\n"
	golden := filepath.Join("testdata", "overview.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the frame is not that of %s (go test ./cmd/gateway -run AFrameOfTop -update writes it):\n%s", golden, got)
	}
}

// A small terminal shows the beginning of each line, and the most urgent lines.
func TestAFrameFitsTheTerminal(t *testing.T) {
	s := shown(t)
	for _, columns := range []int{20, 80, 200} {
		for _, lines := range []int{1, 10, 24, 70} {
			rows := s.frame(styled, columns, lines)
			if len(rows) > lines || !strings.Contains(rows[0], "gateway degraded") {
				t.Errorf("%d lines for %d: %q", len(rows), lines, rows[0])
			}
			for _, row := range rows {
				bare := strings.NewReplacer(styled.strong, "", styled.faint, "", styled.off, "").Replace(row)
				if utf8.RuneCountInString(bare) > columns || strings.Contains(bare, "\x1b") {
					t.Errorf("%d columns for %d: %q", utf8.RuneCountInString(bare), columns, row)
				}
				if strings.Count(row, styled.strong)+strings.Count(row, styled.faint) > strings.Count(row, styled.off) {
					t.Errorf("a style is not ended: %q", row)
				}
			}
		}
	}
	for columns, want := range map[int]string{
		40:  "  3bc906039271                 20 of 20…",
		80:  "  3bc906039271                   ##############  20 of 20, free in 400ms",
		200: "  3bc906039271                   ##############################  20 of 20, free in 400ms",
	} {
		if rows := s.frame(plain, columns, 70); !slices.Contains(rows, want) {
			t.Errorf("the nearest to a limit are not told as %q in %d columns:\n%s", want, columns, strings.Join(rows, "\n"))
		}
	}
	if rows := new(sight).frame(plain, 80, 24); rows != nil {
		t.Errorf("of nothing, %q is shown", rows)
	}
}

// What the gateway tells can't give the terminal orders.
func TestTopPrintsNoControlCodes(t *testing.T) {
	s := shown(t)
	s.Tables.State.Configuration.LastReload.Mistakes = []string{"a\x1b[2Jb\nc\u009bd"}
	s.Tables.Upstream.LastError.Cause = "\x1b]0;title\x07"
	for _, row := range s.frame(plain, onceColumns, onceLines) {
		if strings.ContainsFunc(row, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			t.Errorf("%q", row)
		}
	}
}

func TestGauges(t *testing.T) {
	f := func(used, limit, width int, want string) {
		t.Helper()
		if got := gauge(used, limit, width); got != want {
			t.Errorf("%d of %d is %q, want %q", used, limit, got, want)
		}
	}
	f(0, 8, 4, ".... ")
	f(4, 8, 4, "##.. ")
	f(9, 8, 4, "#### ")
	f(1, 0, 4, "#### ")
	f(1, 8, -3, "")
	if line := sparkline(slices.Clone(shown(t).Points), func(p *proxy.Point) float64 { return p.Requests }); utf8.RuneCountInString(line) != 30 || !strings.HasSuffix(line, "█▃") {
		t.Errorf("got %q", line)
	}
}

// docs/console.md names every member of what the console tells.
func TestTheConsolesPageNamesEveryMember(t *testing.T) {
	page, err := os.ReadFile("../../docs/console.md")
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string) bool { return strings.Contains(string(page), "`"+name+"`") }
	checked := 0
	eachMember(reflect.TypeFor[sight](), func(name string) {
		if checked++; !named(name) && !strings.Contains(string(page), "/admin/v1/"+name+"`") {
			t.Errorf("docs/console.md says nothing of %q", name)
		}
	})
	if checked < 90 {
		t.Errorf("only %d members were looked for", checked)
	}
}

// eachMember calls f for the JSON name of every member, those of members included.
func eachMember(of reflect.Type, f func(name string)) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		eachMember(of.Elem(), f)
	case reflect.Struct:
		for i := range of.NumField() {
			field := of.Field(i)
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
				f(name)
			}
			if of != reflect.TypeFor[time.Time]() {
				eachMember(field.Type, f)
			}
		}
	}
}

// Who is turned away is told what to name, also after a reload that was refused.
func TestTopSaysHowToReachTheGateway(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	broken := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(broken, []byte("limitz: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(wants []string, args ...string) {
		t.Helper()
		err := runTop(t.Context(), append(args, "--once"), console{io.Discard, io.Discard})
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("top %q said %v, want %q", args, err, want)
			}
		}
	}
	f([]string{"401", "--token-file", "--config"}, "--admin", server.Listener.Addr().String())
	f([]string{"limitz", "--admin ADDR and --token-file FILE"}, "--config", broken)
}
