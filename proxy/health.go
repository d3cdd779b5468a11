package proxy

// NotReady lists why the gateway should get no traffic; empty means ready.
func (g *Gateway) NotReady() []string {
	var why []string
	if g.withdrawn.Load() {
		why = append(why, "draining")
	}
	if g.upstream.Checked() && !g.upstream.Up() {
		why = append(why, "upstream")
	}
	if g.stores.Shared != nil && !g.stores.Shared.Ready() {
		why = append(why, "store")
	}
	return why
}
