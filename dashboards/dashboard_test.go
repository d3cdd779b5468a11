package dashboards

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write gateway.json anew")

// TestTheCommittedDashboardIsTheOneThatIsWritten: after a change,
// go test ./dashboards -run Committed -update
func TestTheCommittedDashboardIsTheOneThatIsWritten(t *testing.T) {
	if *update {
		if err := os.WriteFile("gateway.json", JSON(), 0o644); err != nil { //nolint:gosec // for everybody
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("gateway.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, JSON()) {
		t.Error("gateway.json is not what this package writes: run go test ./dashboards -run Committed -update")
	}
}

// committed reads the file as Grafana would.
func committed(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile("gateway.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// every returns all panels, those inside of collapsed rows included.
func every(panels []panel) []panel {
	var all []panel
	for _, p := range panels {
		all = append(append(all, p), every(p.Panels)...)
	}
	return all
}

// plots are the panels that are no rows.
func plots(t *testing.T) []panel {
	t.Helper()
	return slices.DeleteFunc(every(committed(t).Panels), func(p panel) bool { return p.Type == "row" })
}

func TestTheDashboardHasTheRowsOfARunbook(t *testing.T) {
	var got []string
	for _, p := range every(committed(t).Panels) {
		if p.Type == "row" {
			got = append(got, p.Title)
		}
	}
	want := []string{"At a glance", "Traffic", "Limits", "Bot loops", "Upstream", "Shared store", "Resources", "Error budget"}
	if !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
}

func TestPanelsHaveIdsAndPlacesOfTheirOwn(t *testing.T) {
	all := every(committed(t).Panels)
	for i, p := range all {
		if g := p.GridPos; g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > gridWidth {
			t.Errorf("%s does not fit into the grid: %+v", p.Title, g)
		}
		for _, other := range all[:i] {
			if p.ID == other.ID || (p.Title == other.Title) {
				t.Errorf("%s and %s have the same id or title", p.Title, other.Title)
			}
			if overlap(p.GridPos, other.GridPos) {
				t.Errorf("%s lies on %s", p.Title, other.Title)
			}
		}
		refs := map[string]bool{}
		for _, target := range p.Targets {
			if refs[target.RefID] {
				t.Errorf("%s: two queries are called %s", p.Title, target.RefID)
			}
			refs[target.RefID] = true
		}
	}
}

func overlap(a, b gridPos) bool {
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

func TestOverlapIsSeen(t *testing.T) {
	f := func(a, b gridPos, want bool) {
		t.Helper()
		if overlap(a, b) != want || overlap(b, a) != want {
			t.Errorf("overlap(%+v, %+v) is not %v", a, b, want)
		}
	}
	f(gridPos{8, 12, 0, 0}, gridPos{8, 12, 12, 0}, false)
	f(gridPos{8, 12, 0, 0}, gridPos{8, 12, 0, 8}, false)
	f(gridPos{8, 12, 0, 0}, gridPos{8, 12, 11, 7}, true)
	f(gridPos{8, 12, 0, 0}, gridPos{1, 1, 5, 5}, true)
}

// units are those of Grafana that are used here.
var units = []string{"bytes", "dtdurations", "none", "ops", "percentunit", "reqps", "s", "short"}

func TestEveryPanelExplainsItself(t *testing.T) {
	for _, p := range plots(t) {
		parts := strings.Split(p.Description, "\n\n")
		if len(parts) != 3 || len(parts[0]) < 20 || !strings.HasPrefix(parts[1], "**Normal:** ") || !strings.HasPrefix(parts[2], "**To do:** ") {
			t.Errorf("%s: the description must say what it is, what is normal and what to do:\n%s", p.Title, p.Description)
		}
		if !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
			t.Errorf("%s: unknown unit %q", p.Title, p.FieldConfig.Defaults.Unit)
		}
		if steps := p.FieldConfig.Defaults.Thresholds.Steps; len(steps) == 0 || steps[0].Value != nil {
			t.Errorf("%s: thresholds must begin with a colour for the lowest values: %+v", p.Title, steps)
		} else if !slices.IsSortedFunc(steps[1:], func(a, b step) int { return int(1e9*(*a.Value) - 1e9*(*b.Value)) }) {
			t.Errorf("%s: thresholds must rise", p.Title)
		}
		if len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("%s: no query, or a data source of its own", p.Title)
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("%s: query %s has a data source of its own", p.Title, target.RefID)
			}
			if target.LegendFormat == "" && (len(p.Targets) > 1 || strings.Contains(target.Expr, " by (") && !strings.Contains(target.Expr, "by (le)")) {
				t.Errorf("%s: query %s has no legend", p.Title, target.RefID)
			}
		}
	}
}

func TestTheDashboardsFrame(t *testing.T) {
	d := committed(t)
	if !d.Editable || d.Refresh != "30s" || d.Time.From != "now-3h" || d.GraphTooltip != 1 || d.SchemaVersion < 39 || d.SchemaVersion > 41 || d.ID != nil || d.UID == "" {
		t.Errorf("unexpected frame: %+v", d)
	}
	text := string(JSON())
	var names []string
	for _, v := range d.Templating.List {
		names = append(names, v.Name)
		if !strings.Contains(text, "$"+v.Name) && !strings.Contains(text, "${"+v.Name+"}") {
			t.Errorf("the variable %s is not used", v.Name)
		}
		if v.Type == "query" && (!v.Multi || !v.IncludeAll || v.Refresh != 2) {
			t.Errorf("the variable %s must allow several values and follow the time range", v.Name)
		}
	}
	if want := []string{"datasource", "job", "instance"}; !slices.Equal(names, want) {
		t.Errorf("variables %q, want %q", names, want)
	}
	var marks []string
	for _, a := range d.Annotations.List {
		marks = append(marks, a.Name)
	}
	if want := []string{"Restart", "Version", "Reload"}; !slices.Equal(marks, want) {
		t.Errorf("annotations %q, want %q", marks, want)
	}
}

var (
	quoted   = regexp.MustCompile(`"([A-Z0-9][^"\n]*)"`)
	runbooks = regexp.MustCompile(`runbook, ([A-Za-z]+)`)
)

func TestTextsNamePanelsAndAlertsThatExist(t *testing.T) {
	titles, names := map[string]bool{}, map[string]bool{}
	text, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(text)}
	for _, p := range plots(t) {
		titles[p.Title] = true
		texts = append(texts, p.Description)
	}
	for _, a := range alerts(t) {
		names[a.Alert] = true
		texts = append(texts, a.Annotations["description"])
	}
	found := 0
	for _, text := range texts {
		for _, match := range quoted.FindAllStringSubmatch(strings.ReplaceAll(text, "\n   ", " "), -1) {
			found++
			if !titles[match[1]] {
				t.Errorf("there is no panel %q", match[1])
			}
		}
		for _, match := range runbooks.FindAllStringSubmatch(text, -1) {
			found++
			if !names[match[1]] {
				t.Errorf("there is no alert %s", match[1])
			}
		}
	}
	if found < 30 {
		t.Errorf("found only %d names of panels and alerts", found)
	}
}
