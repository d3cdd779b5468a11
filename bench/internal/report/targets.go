package report

// targets are the ratios that the gateway sets itself, by scenario and peer.
var targets = map[string]map[string]float64{
	"get":     {"HAProxy, same policy": 0.80, "nginx + Lua, same policy": 0.80, "HAProxy bare": 0.95, "HAProxy, layer-4 copy": 1.5},
	"message": {"HAProxy, same policy": 0.40, "nginx + Lua, same policy": 0.50, "HAProxy bare": 1.0, "HAProxy, layer-4 copy": 1.6},
	"refused": {"HAProxy, same policy": 0.90, "nginx + Lua, same policy": 1.05},
	"large":   {"HAProxy, same policy": 0.80, "nginx + Lua, same policy": 1.05, "HAProxy bare": 0.95, "HAProxy, layer-4 copy": 1.0},
}
