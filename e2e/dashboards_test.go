package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// board is what these tests read of dashboards/gateway.json.
type board struct {
	Panels      []boardPanel `json:"panels"`
	Annotations struct {
		List []struct {
			Name string `json:"name"`
			Expr string `json:"expr"`
		} `json:"list"`
	} `json:"annotations"`
}

type boardPanel struct {
	Title   string `json:"title"`
	Type    string `json:"type"`
	Targets []struct {
		Expr   string `json:"expr"`
		Legend string `json:"legendFormat"`
	} `json:"targets"`
	Panels []boardPanel `json:"panels"`
}

func readBoard(t *testing.T) board {
	t.Helper()
	text, err := os.ReadFile("../dashboards/gateway.json")
	if err != nil {
		t.Fatal(err)
	}
	var b board
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	for _, p := range b.Panels {
		b.Panels = append(b.Panels, p.Panels...) // of collapsed rows
	}
	b.Panels = slices.DeleteFunc(b.Panels, func(p boardPanel) bool { return p.Type == "row" })
	return b
}

// variables are what Grafana would put in, for a scrape interval of 250 ms.
var variables = strings.NewReplacer("$__rate_interval", "2s", "$__range", "1m", "$job", "gateway", "$instance", ".+")

// panel draws every query of a panel; by its legend, where that has no label.
func (w *watched) panel(p boardPanel, to time.Time) (map[string][]line, error) {
	drawn := map[string][]line{}
	for i, target := range p.Targets {
		lines, err := w.prometheus.draw(variables.Replace(target.Expr), w.since, to)
		if err != nil {
			return nil, fmt.Errorf("%s: %w in %s", p.Title, err, target.Expr)
		}
		drawn[fmt.Sprint(i, " ", target.Legend)] = lines
	}
	return drawn, nil
}

// sight is a line of a panel, by its legend or by the value of one of its labels.
type sight struct{ panel, line string }

// seen is nil when the line was drawn and is not flat.
func (w *watched) seen(s sight) error {
	i := slices.IndexFunc(w.board.Panels, func(p boardPanel) bool { return p.Title == s.panel })
	if i < 0 {
		return fmt.Errorf("there is no panel %q", s.panel)
	}
	drawn, err := w.panel(w.board.Panels[i], time.Now())
	if err != nil {
		return err
	}
	for legend, lines := range drawn {
		for _, l := range lines {
			named := s.line == "" || strings.HasSuffix(legend, " "+s.line)
			for _, value := range l.labels {
				named = named || value == s.line
			}
			if named && l.moves() {
				return nil
			}
		}
	}
	return fmt.Errorf("the panel %q shows nothing of %q: %v", s.panel, s.line, drawn)
}

// still are the panels that nothing in this test moves: no request is known that
// makes the gateway panic or its log jam.
var still = []string{"Faults and lost log lines"}

// The dashboard and the rules are asked of a real Prometheus that scrapes real
// gateways while things go wrong: what should move moves, and nothing is empty.
// Grafana itself has no part in this.
func TestTheDashboardShowsWhatHappens(t *testing.T) {
	t.Parallel()
	w := startWatched(t)
	for _, f := range w.faults() {
		f.make(t)
		for _, s := range f.shows {
			eventually(t, "the dashboard shows "+f.name, func() error { return w.seen(s) })
		}
	}
	w.checkPanels(t)
	w.checkMarks(t)
	w.checkRules(t)
	t.Logf("from the first scrape to the last query: %v", time.Since(w.since).Round(100*time.Millisecond))
}

// checkPanels wants every query of every panel to be answered with something, and
// what should move to move.
func (w *watched) checkPanels(t *testing.T) {
	t.Helper()
	now := time.Now()
	for _, p := range w.board.Panels {
		drawn, err := w.panel(p, now)
		if err != nil {
			t.Error(err)
		}
		var all []line
		for legend, lines := range drawn {
			if len(lines) == 0 {
				t.Errorf("the panel %q has nothing to show for its query %q", p.Title, legend)
			}
			all = append(all, lines...)
		}
		calm := slices.Contains(still, p.Title)
		if !calm && !slices.ContainsFunc(all, line.moves) {
			t.Errorf("the panel %q did not move", p.Title)
		}
		if calm && slices.ContainsFunc(all, line.varies) {
			t.Errorf("the panel %q moved: it does not belong to those that nothing moves", p.Title)
		}
	}
}

// checkMarks asks for the annotations.
func (w *watched) checkMarks(t *testing.T) {
	t.Helper()
	for _, mark := range w.board.Annotations.List {
		lines, err := w.prometheus.draw(variables.Replace(mark.Expr), w.since, time.Now())
		if err != nil || len(lines) == 0 {
			t.Errorf("nothing is marked as %s: %v", mark.Name, err)
		}
	}
}

// checkRules wants every rule to work, those alerts to fire that do not wait, and
// that of the shared store, which waits for two minutes, to wait.
func (w *watched) checkRules(t *testing.T) {
	t.Helper()
	rules, err := w.prometheus.rules()
	if err != nil || len(rules) == 0 {
		t.Fatalf("there are no rules: %v", err)
	}
	var firing []string
	for _, r := range rules {
		if r.Health != "ok" || r.LastError != "" {
			t.Errorf("the rule %s is %s: %s", r.Name, r.Health, r.LastError)
		}
		if r.State == "firing" {
			firing = append(firing, r.Name)
		}
		if r.Name == "GatewayStoreDegraded" && r.State != "pending" {
			t.Errorf("Redis was away a moment ago, and the alert %s is %s", r.Name, r.State)
		}
	}
	slices.Sort(firing)
	if want := []string{"GatewayBotLoopDetected", "GatewayEvictsLiveKeys", "GatewayUpstreamStillLimits"}; !slices.Equal(slices.Compact(firing), want) {
		t.Errorf("these alerts fire: %q, want %q", firing, want)
	}
}

// Prometheus' own linter has nothing to say about the metrics' names and texts.
func TestTheMetricsArePlainToPrometheus(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{})
	g.do(t, call{path: "/v2/users"})
	_, text, err := fetch("http://" + g.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	lint := exec.Command("promtool", "check", "metrics")
	lint.Stdin = strings.NewReader(text)
	if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
