package upstream

import (
	"time"

	"github.com/chatshipper/gateway/internal/balance"
)

// Server is one server of a fleet, for operators.
type Server struct {
	Address  string   `json:"address"`                  // as it is configured
	Dials    string   `json:"dials,omitempty"`          // where that leads, when it is a name
	Circuit  string   `json:"circuit"`                  // closed, half_open or open
	Unwell   bool     `json:"unwell,omitempty"`         // its last health check failed
	Wait     float64  `json:"tries_again_in,omitempty"` // seconds until the trial of an open circuit
	InFlight int64    `json:"in_flight"`
	Requests int64    `json:"requests"`         // since it was found
	Open     int      `json:"connections"`      // to it
	Idle     int      `json:"idle_connections"` // of these
	Last     *Failure `json:"last_failure,omitempty"`
}

// Failure is why a request, or a health check, failed.
type Failure struct {
	Cause string    `json:"cause"` // a Reason, or what was answered
	At    time.Time `json:"at"`
}

// Servers are all servers at this time.
func (f *Fleet) Servers() []Server {
	now := f.clock()
	members := f.set.Load().members
	list := make([]Server, len(members))
	for i, m := range members {
		connections := m.client.Stats()
		list[i] = Server{
			Address: f.targets[m.target].name, Circuit: m.State(now).String(), Unwell: m.Doubted(),
			InFlight: m.Load(), Requests: m.Started(), Open: connections.Open, Idle: connections.Idle, Last: m.last.Load(),
		}
		if m.key != list[i].Address {
			list[i].Dials = m.key
		}
		if m.State(now) == balance.Open {
			list[i].Wait = m.Waiting(now).Round(time.Millisecond).Seconds()
		}
	}
	return list
}
