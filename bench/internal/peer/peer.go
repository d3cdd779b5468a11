// Package peer knows the gateways that are compared: how each is configured, as
// its operators would, and how it is started. The configurations stand in conf/.
package peer

import (
	"bytes"
	"embed"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/chatshipper/gateway/bench/internal/proc"
)

//go:embed conf
var conf embed.FS

// Peer is one way to put something in front of an upstream.
type Peer struct {
	Name   string // in tables
	Policy bool   // it refuses what the gateway refuses
	conf   string // its template; the last argument of its command names the file made of it
	extra  string // a file that its configuration loads
	cmd    []string
}

// Names of the peers that ratios are taken to.
const (
	Gateway       = "gateway"
	HAProxyBare   = "HAProxy bare"
	HAProxyPolicy = "HAProxy, same policy"
	HAProxyCopy   = "HAProxy, layer-4 copy"
	NginxBare     = "nginx bare"
	NginxPolicy   = "nginx + Lua, same policy"
	CaddyBare     = "Caddy bare"
)

// All lists every peer; binary is the gateway's.
func All(binary string) []Peer {
	haproxy, nginx := []string{"haproxy", "-db", "-f"}, []string{"nginx", "-c"}
	return []Peer{
		{Name: Gateway, Policy: true, conf: "gateway.yaml", cmd: []string{binary, "run", "--config"}},
		{Name: HAProxyPolicy, Policy: true, conf: "haproxy-policy.cfg", extra: "guard-haproxy.lua", cmd: haproxy},
		{Name: NginxPolicy, Policy: true, conf: "nginx-policy.conf", extra: "guard-nginx.lua", cmd: nginx},
		{Name: HAProxyBare, conf: "haproxy-bare.cfg", cmd: haproxy},
		{Name: NginxBare, conf: "nginx-bare.conf", cmd: nginx},
		{Name: CaddyBare, conf: "Caddyfile", cmd: []string{"caddy", "run", "--adapter", "caddyfile", "--config"}},
		{Name: HAProxyCopy, conf: "haproxy-tcp.cfg", cmd: haproxy},
	}
}

// Settings are what a configuration is made for.
type Settings struct {
	Upstream string // host:port
	PerIP    int    // requests per second for one address
	TLS      bool   // on the listener
	Cores    string // that it may run on: "0", or "0,1"
	Redis    string // host:port of the store; empty means the process's memory
	Probe    bool   // send requests from the start until one is answered
}

// Instance is a peer that runs.
type Instance struct {
	Peer
	*proc.Process
	Addr string // host:port
	TLS  bool
	// From the start of the process to the first answered request; only with Settings.Probe.
	Answered time.Duration
	dir      string
}

// file is what the templates see.
type file struct {
	Settings
	Dir                      string
	Port, AdminPort, Threads int
	Burst                    int // nginx: how many beyond the first pass at once
}

// mostRequests is the largest limit that the gateway takes.
const mostRequests = 100_000

// Limit is the limit of an address as the gateway takes it.
func (f file) Limit() string {
	if f.PerIP > mostRequests {
		return fmt.Sprintf("{requests: %d, window: 100ms}", f.PerIP/10)
	}
	return fmt.Sprintf("{requests: %d, window: 1s}", f.PerIP)
}

// Start configures a peer, starts it and waits until it answers.
func (p Peer) Start(s Settings) (*Instance, error) {
	dir, err := os.MkdirTemp("", "gateway-bench-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a directory: %w", err)
	}
	i := &Instance{Peer: p, TLS: s.TLS, dir: dir}
	if err := i.start(s); err != nil {
		i.Stop()
		return nil, fmt.Errorf("cannot run %s: %w", p.Name, err)
	}
	return i, nil
}

func (i *Instance) start(s Settings) error {
	// A worker that nginx starts as another user reads and writes here.
	if err := os.Chmod(i.dir, 0o777); err != nil {
		return fmt.Errorf("cannot open the directory: %w", err)
	}
	f := file{Settings: s, Dir: i.dir, Threads: strings.Count(s.Cores, ",") + 1, Burst: s.PerIP - 1}
	var err error
	if f.Port, err = FreePort(); err != nil {
		return err
	}
	if f.AdminPort, err = FreePort(); err != nil {
		return err
	}
	if s.TLS {
		if err := writeCertificate(i.dir); err != nil {
			return err
		}
	}
	path := filepath.Join(i.dir, i.conf)
	if err := fill(i.conf, path, f); err != nil {
		return err
	}
	if i.extra != "" {
		if err := fill(i.extra, filepath.Join(i.dir, i.extra), f); err != nil {
			return err
		}
	}
	i.Addr = net.JoinHostPort("127.0.0.1", fmt.Sprint(f.Port))
	args := append(slices.Clone(i.cmd[1:]), path)
	started := time.Now()
	if i.Process, err = proc.Start(s.Cores, i.cmd[0], args...); err != nil {
		return err
	}
	if s.Probe {
		i.probe()
		i.Answered = time.Since(started)
	}
	return i.Ready(i.Addr)
}

// probe asks until there is an answer, whatever it is, for at most five seconds.
func (i *Instance) probe() {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(500 * time.Microsecond) {
		if res, err := http.Get("http://" + i.Addr + "/v2/contacts"); err == nil {
			_ = res.Body.Close()
			return
		}
	}
}

// fill writes a file of conf/ with its settings.
func fill(name, path string, f file) error {
	t, err := template.ParseFS(conf, "conf/"+name)
	if err != nil {
		return fmt.Errorf("cannot parse %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, f); err != nil {
		return fmt.Errorf("cannot fill %s: %w", name, err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

// Stop ends the process and removes its files.
func (i *Instance) Stop() {
	if i.Process != nil {
		i.Process.Stop()
	}
	_ = os.RemoveAll(i.dir)
}

// FreePort is a port of loopback that nobody listens on.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("cannot find a free port: %w", err)
	}
	defer l.Close()
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("cannot find a free port: the listener's address is %T", l.Addr())
	}
	return address.Port, nil
}
