package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chatshipper/gateway/bench/internal/load"
	"github.com/chatshipper/gateway/bench/internal/peer"
)

// Limits of the address that all load comes from. The other limits stay as
// documented: the load has keys and conversations enough to keep within them.
const (
	documented = 20
	raised     = 1_000_000 // more than anybody here can send
)

// scenario is one kind of work under one set of circumstances.
type scenario struct {
	id, title   string
	kind        string // of load
	connections int
	refused     bool // the documented limit of an address refuses nearly all
	tls         bool // on the listener
	free        bool // all on both cores, instead of the peer on one and the rest on the other
	redis       bool // the gateway keeps its counts in Redis
	bytesOnly   bool // the layer-4 copy can take part
}

var scenarios = []scenario{
	{id: "get", title: "GET, small answer", kind: load.Get, connections: 64, bytesOnly: true},
	{id: "message", title: "POST message, 200 bytes, full guard", kind: load.Message, connections: 64, bytesOnly: true},
	{id: "refused", title: "Refused request (429)", kind: load.Get, connections: 64, refused: true},
	{id: "large", title: "GET, 100 KB answer", kind: load.Large, connections: 64, bytesOnly: true},
	{id: "upload", title: "POST, 1 MiB body", kind: load.Upload, connections: 64, bytesOnly: true},
	{id: "get-16", title: "GET, 16 connections", kind: load.Get, connections: 16, bytesOnly: true},
	{id: "get-256", title: "GET, 256 connections", kind: load.Get, connections: 256, bytesOnly: true},
	{id: "get-1024", title: "GET, 1,024 connections", kind: load.Get, connections: 1024, bytesOnly: true},
	{id: "get-tls", title: "GET, TLS on the listener", kind: load.Get, connections: 64, tls: true},
	{id: "get-free", title: "GET, free on two cores", kind: load.Get, connections: 64, free: true, bytesOnly: true},
	{id: "message-free", title: "POST message, free on two cores", kind: load.Message, connections: 64, free: true, bytesOnly: true},
	{id: "large-free", title: "GET, 100 KB answer, free on two cores", kind: load.Large, connections: 64, free: true, bytesOnly: true},
	{id: "get-redis", title: "GET, counts in Redis", kind: load.Get, connections: 64, redis: true},
	{id: "message-redis", title: "POST message, counts in Redis", kind: load.Message, connections: 64, redis: true},
}

// takes tells whether a peer can do the work of a scenario at all.
func (s *scenario) takes(p *peer.Peer) bool {
	switch {
	case s.redis:
		return p.Name == peer.Gateway
	case s.refused:
		return p.Policy
	case p.Name == peer.HAProxyCopy:
		return s.bytesOnly
	}
	return true
}

func (s *scenario) url(addr string) string {
	if s.tls {
		return "https://" + addr
	}
	return "http://" + addr
}

// choose picks scenarios by their ids, in their own order; empty means all.
func choose(ids string) ([]scenario, error) {
	if ids == "" {
		return scenarios, nil
	}
	var chosen []scenario
	wanted := strings.Split(ids, ",")
	for _, s := range scenarios {
		if slices.Contains(wanted, s.id) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) != len(wanted) {
		var known []string
		for _, s := range scenarios {
			known = append(known, s.id)
		}
		return nil, fmt.Errorf("cannot find all of %q among the scenarios: %s", ids, strings.Join(known, ","))
	}
	return chosen, nil
}

// verdict says why a run does not count; empty when it does. seen is what came to
// the upstream; requests in flight when the load ends are seen and not answered.
func (s *scenario) verdict(r load.Result, seen int64, seconds int) string {
	inFlight := int64(s.connections)
	admitted := r.Requests - r.Status
	switch {
	case r.Broken() > 0:
		return fmt.Sprintf("%d connections failed", r.Broken())
	// Each second its 20, the first burst, and as much again for who only estimates.
	case s.refused && admitted > int64(2*documented*(seconds+2)):
		return fmt.Sprintf("%d of %d requests were admitted", admitted, r.Requests)
	case s.refused && seen > admitted+inFlight:
		return fmt.Sprintf("the upstream saw %d requests, the client %d admitted", seen, admitted)
	case s.refused:
		return ""
	case r.Status > 0:
		return fmt.Sprintf("%d of %d answers had an unexpected status", r.Status, r.Requests)
	case seen < r.Requests || seen > r.Requests+inFlight:
		return fmt.Sprintf("the client had %d answers, the upstream saw %d requests", r.Requests, seen)
	}
	return ""
}
