package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// scrapeEvery is how often the Prometheus of these tests scrapes and evaluates.
const scrapeEvery = 250 * time.Millisecond

// prometheus is a running server of Debian's package, installed by
// scripts/install-tools.sh, with the rules of dashboards/alerts.yml.
type prometheus struct {
	*process
	address string
}

// interval is how often a group of rules wants to be evaluated: too seldom here.
var interval = regexp.MustCompile(`(?m)^ +interval: .*\n`)

func startPrometheus(t *testing.T, targets ...string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	rules, err := os.ReadFile("../dashboards/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	every := fmt.Sprintf("{scrape_interval: %v, scrape_timeout: %v, evaluation_interval: %v}", scrapeEvery, scrapeEvery, scrapeEvery)
	config := "global: " + every + "\nrule_files: [rules.yml]\nscrape_configs:\n" +
		`  - {job_name: gateway, static_configs: [{targets: ["` + strings.Join(targets, `", "`) + `"]}]}` + "\n"
	for name, text := range map[string][]byte{"prometheus.yml": []byte(config), "rules.yml": interval.ReplaceAll(rules, nil)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &prometheus{address: freeAddress(t)}
	p.process = launchProgram(t, "prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+p.address, "--log.level=warn")
	eventually(t, "Prometheus is ready", func() error {
		status, _, err := fetch("http://" + p.address + "/-/ready")
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
	return p
}

// ask reads what the HTTP API answers as data.
func (p *prometheus) ask(path string, into any) error {
	status, text, err := fetch("http://" + p.address + "/api/v1/" + path)
	if err != nil {
		return err
	}
	answer := struct {
		Data  any    `json:"data"`
		Error string `json:"error"`
	}{Data: into}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return fmt.Errorf("status %d, no JSON: %w", status, err)
	}
	if status != 200 {
		return fmt.Errorf("status %d: %s", status, answer.Error)
	}
	return nil
}

// line is one series of an answer, without values that are no numbers.
type line struct {
	labels map[string]string
	values []float64
	steps  int // how many values there could be
}

// varies reports whether the line has more than one value.
func (l line) varies() bool {
	return len(l.values) > 0 && slices.Min(l.values) < slices.Max(l.values)
}

// comes reports whether the line begins late, ends early or has a gap. One value
// may be missing because of how times are rounded.
func (l line) comes() bool { return len(l.values) > 0 && len(l.values) < l.steps-1 }

func (l line) moves() bool { return l.varies() || l.comes() }

// draw asks for an expression as a panel of a dashboard does.
func (p *prometheus) draw(expr string, from, to time.Time) ([]line, error) {
	query := url.Values{
		"query": {expr}, "step": {fmt.Sprint(scrapeEvery.Seconds())},
		"start": {fmt.Sprintf("%.3f", float64(from.UnixMilli())/1000)}, "end": {fmt.Sprintf("%.3f", float64(to.UnixMilli())/1000)},
	}
	var data struct {
		Result []struct {
			Metric map[string]string `json:"metric"`
			Values [][2]any          `json:"values"`
		} `json:"result"`
	}
	if err := p.ask("query_range?"+query.Encode(), &data); err != nil {
		return nil, err
	}
	var lines []line
	for _, series := range data.Result {
		l := line{labels: series.Metric, steps: int(to.Sub(from)/scrapeEvery) + 1}
		for _, pair := range series.Values {
			text, _ := pair[1].(string)
			if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) {
				l.values = append(l.values, v)
			}
		}
		if len(l.values) > 0 {
			lines = append(lines, l)
		}
	}
	return lines, nil
}

// rules are all rules that Prometheus has loaded, as it judges them.
func (p *prometheus) rules() (list []ruleState, err error) {
	var data struct {
		Groups []struct {
			Rules []ruleState `json:"rules"`
		} `json:"groups"`
	}
	err = p.ask("rules", &data)
	for _, group := range data.Groups {
		list = append(list, group.Rules...)
	}
	return list, err
}

type ruleState struct {
	Name      string `json:"name"`
	Type      string `json:"type"`  // alerting or recording
	State     string `json:"state"` // of an alert: inactive, pending or firing
	Health    string `json:"health"`
	LastError string `json:"lastError"`
}
