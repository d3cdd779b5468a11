// Package report keeps what was measured, takes medians and ratios, and writes
// them down. It knows nothing of how anything was measured.
package report

import (
	"slices"
)

// Sample is one peer's part of one round.
type Sample struct {
	Scenario, Peer string
	Round          int
	CPU            float64 // µs of processor time for each request
	PerSecond      float64 // requests
	P50, P99, P999 float64 // latency in µs
	Memory         float64 // bytes
	Others         float64 // share of the machine that neither peer, load nor upstream used
	Discarded      string  // why it does not count; empty when it does
}

// Column is a figure of a sample.
type Column func(*Sample) float64

// Median is the middle of what a scenario's counted samples of a peer say, and
// how many there were.
func Median(samples []Sample, scenario, peer string, value Column) (float64, int) {
	var values []float64
	for i := range samples {
		if s := &samples[i]; s.Scenario == scenario && s.Peer == peer && s.Discarded == "" {
			values = append(values, value(s))
		}
	}
	return median(values), len(values)
}

func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return (values[(n-1)/2] + values[n/2]) / 2
}

func cpu(s *Sample) float64 { return s.CPU }

// Ratio is the processor time of one peer for a request, over that of another.
func Ratio(samples []Sample, scenario, peer, over string) float64 {
	a, _ := Median(samples, scenario, peer, cpu)
	b, _ := Median(samples, scenario, over, cpu)
	if a == 0 || b == 0 {
		return 0
	}
	return a / b
}
