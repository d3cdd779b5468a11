package dashboards

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// expression is one query of the dashboard and where it stands.
type expression struct{ place, text string }

func expressions(t *testing.T) []expression {
	t.Helper()
	var all []expression
	for _, p := range plots(t) {
		for _, target := range p.Targets {
			all = append(all, expression{p.Title + " " + target.RefID, target.Expr})
		}
	}
	for _, a := range committed(t).Annotations.List {
		all = append(all, expression{"annotation " + a.Name, a.Expr})
	}
	return all
}

var (
	ranged   = regexp.MustCompile(`(\w+)\([^()\[\]]*\[([^\]]+)\]`)
	selector = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_:]*)\{([^}]*)\}`)
	metric   = regexp.MustCompile(`\b(?:gateway|process|go|job:gateway)_[a-zA-Z0-9_:]+`)
	dollar   = regexp.MustCompile(`\$\{?([a-zA-Z_]+)`)
	bucketed = regexp.MustCompile(`histogram_quantile\([0-9.]+, sum by \([a-z_, ]*\ble\) \(rate\([a-z_]+_bucket\{`)
	counted  = regexp.MustCompile(`\b[a-z_]+_total\{`)
	wrapped  = regexp.MustCompile(`\b(?:rate|increase)\([a-z_]+_total\{`)
)

// faults says what is wrong with an expression, or nothing.
func faults(expr string, annotation bool) (list []string) {
	for _, match := range ranged.FindAllStringSubmatch(expr, -1) {
		function, window := match[1], match[2]
		if !annotation && !slices.Contains([]string{"$__rate_interval", "$__range"}, window) {
			list = append(list, function+" over "+window+" instead of $__rate_interval")
		}
	}
	bare := expr
	for _, match := range selector.FindAllStringSubmatch(expr, -1) {
		name, matchers := match[1], match[2]
		bare = strings.Replace(bare, match[0], "", 1)
		recorded := strings.HasPrefix(name, "job:") || name == "ALERTS" // have no instance
		if !strings.Contains(matchers, `job=~"$job"`) || (!recorded && !strings.Contains(matchers, `instance=~"$instance"`)) {
			list = append(list, name+" is not bound to job and instance")
		}
	}
	if name := metric.FindString(bare); name != "" {
		list = append(list, name+" is not bound to job and instance")
	}
	if strings.Count(expr, "_bucket{") != len(bucketed.FindAllString(expr, -1)) {
		list = append(list, "buckets outside of histogram_quantile(sum by (le) (rate))")
	}
	if len(counted.FindAllString(expr, -1)) != len(wrapped.FindAllString(expr, -1)) {
		list = append(list, "a counter without rate or increase")
	}
	for _, match := range dollar.FindAllStringSubmatch(expr, -1) {
		if !slices.Contains([]string{"job", "instance", "__rate_interval", "__range"}, match[1]) {
			list = append(list, "unknown variable $"+match[1])
		}
	}
	return list
}

func TestEveryExpressionKeepsTheRules(t *testing.T) {
	for _, e := range expressions(t) {
		for _, fault := range faults(e.text, strings.HasPrefix(e.place, "annotation ")) {
			t.Errorf("%s: %s in %s", e.place, fault, e.text)
		}
	}
}

func TestTheRulesForExpressionsSeeWhatIsWrong(t *testing.T) {
	f := func(expr, want string) {
		t.Helper()
		got := strings.Join(faults(expr, false), "; ")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
	}
	f(`sum(rate(gateway_requests_total{job=~"$job",instance=~"$instance"}[$__rate_interval]))`, "")
	f(`sum(rate(gateway_requests_total{job=~"$job",instance=~"$instance"}[5m]))`, "instead of $__rate_interval")
	f(`sum(rate(gateway_requests_total{job=~"$job"}[$__rate_interval]))`, "not bound")
	f(`gateway_draining`, "gateway_draining is not bound")
	f(`gateway_requests_total{job=~"$job",instance=~"$instance"}`, "counter without rate")
	f(`rate(gateway_overhead_seconds_bucket{job=~"$job",instance=~"$instance"}[$__rate_interval])`, "outside of histogram_quantile")
	f(`job:gateway_requests:rate5m{job=~"$job"}`, "")
	f(`job:gateway_requests:rate5m`, "not bound")
	f(`gateway_draining{job=~"$job",instance=~"$instance",route="$route"}`, "unknown variable $route")
}

func TestTheDashboardUsesOnlyMetricsThatExist(t *testing.T) {
	known := documented(t)
	used := map[string]bool{}
	for _, e := range expressions(t) {
		for _, name := range metricsIn(e.text) {
			used[name] = true
			if !known[name] {
				t.Errorf("%s uses %s, which docs/metrics.md does not have", e.place, name)
			}
		}
	}
	for name := range known {
		if strings.HasSuffix(name, "_total") && !used[name] {
			t.Errorf("nobody looks at %s", name)
		}
	}
}
