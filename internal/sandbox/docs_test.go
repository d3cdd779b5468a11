package sandbox

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const page = "../../docs/sandbox.md"

var (
	assignment = regexp.MustCompile(`(?m)^([A-Z0-9]+)=(\S+)$`)
	curlLine   = regexp.MustCompile(`(?m)^curl -i (.+) # → (\d{3})$`)
	argument   = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
)

// TestEveryPrintedCurlLineWorks runs the lines of docs/sandbox.md.
func TestEveryPrintedCurlLineWorks(t *testing.T) {
	w := newWorld(t)
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{}
	for _, m := range assignment.FindAllStringSubmatch(string(raw), -1) {
		variables[m[1]] = m[2]
	}
	variables["API"] = ""
	lines := curlLine.FindAllStringSubmatch(string(raw), -1)
	if want := strings.Count(string(raw), "\ncurl "); len(lines) != want {
		t.Fatalf("%d of %d lines are understood", len(lines), want)
	}
	for _, m := range lines {
		want, _ := strconv.Atoi(m[2])
		if got := w.curl(m[1], variables); got.status != want {
			t.Errorf("%s\ngot %d: %s", m[0], got.status, got.raw)
		}
	}
}

// curl does what the command of that name would.
func (w *world) curl(arguments string, variables map[string]string) result {
	w.t.Helper()
	var path, method, body string
	var headers []string
	words := argument.FindAllString(arguments, -1)
	for i := 0; i < len(words); i++ {
		word := words[i]
		if unquoted := strings.Trim(word, `"`); unquoted != word {
			word = os.Expand(unquoted, func(name string) string { return variables[name] })
		}
		switch previous := words[max(i-1, 0)]; {
		case strings.HasPrefix(word, "-"):
		case previous == "-X":
			method = word
		case previous == "-H":
			name, value, _ := strings.Cut(word, ": ")
			headers = append(headers, name, value)
		case previous == "-d":
			body = strings.Trim(word, "'")
		default:
			path = word
		}
	}
	if method == "" {
		method = map[bool]string{true: "GET", false: "POST"}[body == ""]
	}
	return w.as("").do(method, path, body, headers...)
}

func TestDocumentationNamesWhatIsThere(t *testing.T) {
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	s := New(Options{})
	needed := []string{DefaultSecret, organizationID, contactID, conversationID, password}
	for _, c := range s.Credentials() {
		needed = append(needed, c.UserID, c.Email, "="+c.Token+"\n")
	}
	needed = append(needed, strings.Join(sortedKeys(titles), ", "))
	for _, name := range []string{"say", "stats", "requests", "faults", "webhooks", "tokens", "reset"} {
		methods := sortedKeys(s.find("/sandbox/" + name).methods)
		slices.SortFunc(methods, func(a, b string) int {
			return strings.Index("GET POST DELETE", a) - strings.Index("GET POST DELETE", b)
		})
		needed = append(needed, "| `/sandbox/"+name+"` | "+strings.Join(methods, ", ")+" |")
	}
	for _, n := range needed {
		if !strings.Contains(text, n) {
			t.Errorf("docs/sandbox.md does not say %q", n)
		}
	}
}
