package proxy

import "reflect"

// Reload puts another configuration in force for the requests that come from now
// on; those under way end with the one they began with. Every count is kept, and
// a changed limit applies at once to what is counted. It returns the blocks in
// which something changed that only a restart can put in force. After an error
// everything is as it was before. Calls must not overlap.
func (g *Gateway) Reload(cfg Config) (restart []string, err error) {
	before := g.rules.Load()
	next, err := compile(cfg, g.hasher, before.upstreamNames, before)
	if err != nil {
		return nil, err
	}
	g.rules.Store(next)
	if next.directory != before.directory {
		before.directory.Close() // it still answers those that hold it
	}
	return g.needRestart(cfg), nil
}

// needRestart compares what was fixed at the start.
func (g *Gateway) needRestart(cfg Config) (blocks []string) {
	now := g.cfg
	cfg.Listen.TrustedProxies, now.Listen.TrustedProxies = nil, nil
	cfg.Listen.MaxRequestsInFlight, now.Listen.MaxRequestsInFlight = 0, 0
	cfg.Upstream.PreserveHost, now.Upstream.PreserveHost = false, false
	if !reflect.DeepEqual(cfg.Listen, now.Listen) {
		blocks = append(blocks, "listen")
	}
	if !reflect.DeepEqual(cfg.Upstream, now.Upstream) {
		blocks = append(blocks, "upstream")
	}
	return blocks
}
