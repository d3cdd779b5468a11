package dashboards

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// ruleFile is what the tests read of alerts.yml.
type ruleFile struct {
	Groups []struct {
		Rules []rule `yaml:"rules"`
	} `yaml:"groups"`
}

type rule struct {
	Alert       string            `yaml:"alert"`
	Record      string            `yaml:"record"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// caseFile is what the tests read of alerts_test.yml.
type caseFile struct {
	Tests []struct {
		Name   string `yaml:"name"`
		Alerts []struct {
			Name     string `yaml:"alertname"`
			Expected []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	} `yaml:"tests"`
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("cannot read %s: %v", name, err)
	}
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file ruleFile
	readYAML(t, "alerts.yml", &file)
	var list []rule
	for _, group := range file.Groups {
		list = append(list, group.Rules...)
	}
	return list
}

func alerts(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(rules(t), func(r rule) bool { return r.Alert == "" })
}

// promtool is Debian's, installed by scripts/install-tools.sh.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("promtool", args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPrometheusAcceptsTheRules(t *testing.T) {
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")
}

func TestEveryAlertFiresWhenItShould(t *testing.T) {
	promtool(t, "test", "rules", "alerts_test.yml")
}

func TestEveryAlertHasACaseInWhichItFiresAndOneInWhichItDoesNot(t *testing.T) {
	var file caseFile
	readYAML(t, "alerts_test.yml", &file)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, alert := range test.Alerts {
			fires[alert.Name] = fires[alert.Name] || len(alert.Expected) > 0
			silent[alert.Name] = silent[alert.Name] || len(alert.Expected) == 0
		}
	}
	for _, alert := range alerts(t) {
		if !fires[alert.Alert] {
			t.Errorf("alerts_test.yml has no case in which %s fires", alert.Alert)
		}
		if !silent[alert.Alert] {
			t.Errorf("alerts_test.yml has no case in which %s stays silent", alert.Alert)
		}
	}
}

// page is where runbook_url must point.
const page = "https://github.com/chatshipper/gateway/blob/main/docs/runbook.md#"

func TestEveryAlertSaysWhatToDo(t *testing.T) {
	anchors := headings(t, "../docs/runbook.md")
	for _, alert := range alerts(t) {
		note := alert.Annotations
		if note["summary"] == "" || len(note["description"]) < 80 {
			t.Errorf("%s: a summary, and a description of what to do, are wanted", alert.Alert)
		}
		if severity := alert.Labels["severity"]; !slices.Contains([]string{"critical", "warning", "info"}, severity) {
			t.Errorf("%s: the severity is %q, want critical, warning or info", alert.Alert, severity)
		}
		anchor, found := strings.CutPrefix(note["runbook_url"], page)
		if !found || !slices.Contains(anchors, anchor) {
			t.Errorf("%s: runbook_url %q points at no heading of docs/runbook.md", alert.Alert, note["runbook_url"])
		}
		if anchor != strings.ToLower(alert.Alert) {
			t.Errorf("%s: its section of the runbook should bear its name, not %q", alert.Alert, anchor)
		}
	}
}

var (
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	notSlug = regexp.MustCompile(`[^a-z0-9 -]`)
)

// headings are the anchors that GitHub makes of a page's headings.
func headings(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var anchors []string
	for _, match := range heading.FindAllStringSubmatch(string(text), -1) {
		slug := notSlug.ReplaceAllString(strings.ToLower(match[1]), "")
		anchors = append(anchors, strings.ReplaceAll(slug, " ", "-"))
	}
	return anchors
}

var (
	inText   = regexp.MustCompile(`\]\((?:runbook\.md)?#([a-z0-9-]+)\)`)
	namesOf  = regexp.MustCompile(`\bgateway_[a-z0-9_]+`)
	inQuotes = regexp.MustCompile(`"[^"]*"`)
)

func TestTheRunbooksOwnLinksLeadSomewhere(t *testing.T) {
	anchors := headings(t, "../docs/runbook.md")
	text, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	links := inText.FindAllStringSubmatch(string(text), -1)
	if len(links) == 0 {
		t.Fatal("found no link")
	}
	for _, link := range links {
		if !slices.Contains(anchors, link[1]) {
			t.Errorf("the runbook links to #%s, which it does not have", link[1])
		}
	}
}

func TestTheRulesUseOnlyMetricsThatExist(t *testing.T) {
	known := documented(t)
	for _, r := range rules(t) {
		for _, name := range metricsIn(r.Expr) {
			if !known[name] {
				t.Errorf("%s%s uses %s, which docs/metrics.md does not have", r.Alert, r.Record, name)
			}
		}
	}
}

// metricsIn are the gateway's metrics in an expression, without the suffixes of
// histograms.
func metricsIn(expr string) []string {
	var names []string
	for _, name := range namesOf.FindAllString(inQuotes.ReplaceAllString(expr, `""`), -1) {
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			name = strings.TrimSuffix(name, suffix)
		}
		names = append(names, name)
	}
	return names
}

var documentedName = regexp.MustCompile("(?m)^### `([a-z0-9_]+)`$")

// documented are the metrics of docs/metrics.md, which another test holds to the
// registry, and the series that the rules record.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, match := range documentedName.FindAllStringSubmatch(string(text), -1) {
		names[match[1]] = true
	}
	for _, r := range rules(t) {
		if name, found := strings.CutPrefix(r.Record, "job:"); found {
			base, _, _ := strings.Cut(name, ":")
			names[base] = true
		}
	}
	return names
}
