package dashboards

import (
	"fmt"
	"strings"
)

// query is one line of a panel: an expression and its name in the legend.
type query struct{ expr, legend string }

// chosen are the instances that the dashboard's variables select.
const chosen = `job=~"$job",instance=~"$instance"`

// of selects the series of a metric of the chosen instances.
func of(metric string, matchers ...string) string {
	return metric + "{" + strings.Join(append([]string{chosen}, matchers...), ",") + "}"
}

// rate is the speed of a counter.
func rate(metric string, matchers ...string) string {
	return "rate(" + of(metric, matchers...) + "[$__rate_interval])"
}

// sum adds an expression up over everything but the labels named in by.
func sum(by, expr string) string { return aggregate("sum", by, expr) }

func aggregate(how, by, expr string) string {
	if by == "" {
		return how + "(" + expr + ")"
	}
	return fmt.Sprintf("%s by (%s) (%s)", how, by, expr)
}

// quantile is that of a histogram, apart for the labels named in by.
func quantile(q, by, metric string) string {
	labels := "le"
	if by != "" {
		labels = by + ", le"
	}
	return fmt.Sprintf("histogram_quantile(%s, %s)", q, sum(labels, rate(metric+"_bucket")))
}

// quantiles are three lines of one histogram.
func quantiles(metric string) []query {
	return []query{
		{quantile("0.5", "", metric), "p50"}, {quantile("0.95", "", metric), "p95"}, {quantile("0.99", "", metric), "p99"},
	}
}

// by is one line for each value of a label: the speed of a counter.
func by(label, metric string, matchers ...string) []query {
	return []query{{sum(label, rate(metric, matchers...)), "{{" + label + "}}"}}
}

// one is a single line without a name.
func one(expr string) []query { return []query{{expr, ""}} }

// each is a line for each instance.
func each(expr string) []query { return []query{{expr, "{{instance}}"}} }
