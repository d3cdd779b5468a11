package proxy

import "github.com/prometheus/client_golang/prometheus"

// factory makes metrics that all carry the gateway's prefix.
type factory struct{ reg prometheus.Registerer }

const prefix = "gateway_"

func (f factory) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	f.reg.MustRegister(c)
	return c
}

// closed makes a counter for each value of a label's closed set, at 0 from the
// start: a series that is born at 1 never fires an alert on its increase.
func (f factory) closed(name, help, label string, values []string) []prometheus.Counter {
	vec := f.counters(name, help, label)
	list := make([]prometheus.Counter, len(values))
	for i, v := range values {
		list[i] = vec.WithLabelValues(v)
	}
	return list
}

// gaugeFunc makes a gauge that is asked for its value at each scrape.
func (f factory) gaugeFunc(name, help string, labels prometheus.Labels, value func() float64) {
	f.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help, ConstLabels: labels}, value))
}

// counterFunc makes a counter that is asked for its value at each scrape.
func (f factory) counterFunc(name, help string, labels prometheus.Labels, value func() float64) {
	f.reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: prefix + name, Help: help, ConstLabels: labels}, value))
}

func (f factory) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, labels)
	f.reg.MustRegister(h)
	return h
}
