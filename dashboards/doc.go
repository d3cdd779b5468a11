// Package dashboards holds what an operator looks at and is woken by: the rules
// and alerts for Prometheus (alerts.yml) and the dashboard for Grafana
// (gateway.json), which is written by this package so that ids, places and units
// are right by construction. It knows the gateway only by the names of its
// metrics.
package dashboards
