// Package scene is the gateway of this tree, as it is built and configured by
// default, between a load and a small upstream: what a measurement begins with that
// compares it with nothing but itself.
package scene

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/chatshipper/gateway/bench/internal/load"
	"github.com/chatshipper/gateway/bench/internal/peer"
	"github.com/chatshipper/gateway/bench/internal/proc"
	"github.com/chatshipper/gateway/bench/internal/upstream"
)

// The gateway has a core of its own; load and upstream share the other.
const (
	gatewayCore = "0"
	LoadCore    = "1"
)

// upstreamCommand runs the program itself as the upstream.
const upstreamCommand = "upstream"

// Scene is a gateway with all around it. Only the limit of one address is raised:
// all load comes from one.
type Scene struct {
	Gateway       *proc.Process
	Public, Admin string // addresses
	Load          *load.Generator

	upstream *proc.Process
	dir      string
}

// ServeUpstream is for the beginning of main. Where the program was started to be the
// upstream of a scene, it does not return.
func ServeUpstream() {
	if len(os.Args) != 3 || os.Args[1] != upstreamCommand {
		return
	}
	port, err := strconv.Atoi(os.Args[2])
	if err == nil {
		var s *upstream.Server
		if s, err = upstream.Listen(port); err == nil {
			err = s.Serve()
		}
	}
	fmt.Fprintln(os.Stderr, "upstream:", err)
	os.Exit(1)
}

// Start builds the gateway and runs it in front of an upstream, with more lines of its
// configuration. Stop ends all.
func Start(more string) (*Scene, error) {
	dir, err := os.MkdirTemp("", "gateway-scene-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a directory: %w", err)
	}
	s := &Scene{dir: dir}
	if err := s.start(more); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Scene) start(more string) error {
	var ports [3]int
	for i := range ports {
		var err error
		if ports[i], err = peer.FreePort(); err != nil {
			return err
		}
	}
	at := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	s.Public, s.Admin = at(ports[0]), at(ports[1])
	behind := at(ports[2])
	binary := filepath.Join(s.dir, "gateway")
	build := exec.Command("go", "build", "-o", binary, "./cmd/gateway")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the gateway: %w: %s", err, text)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	if s.upstream, err = proc.Start(LoadCore, self, upstreamCommand, strconv.Itoa(ports[2])); err != nil {
		return err
	}
	if err := s.upstream.Ready(behind); err != nil {
		return err
	}
	config := filepath.Join(s.dir, "gateway.yaml")
	text := fmt.Sprintf("listen: {address: %q}\nadmin: {address: %q}\nupstream: {url: \"http://%s\"}\n"+
		"limits: {per_ip: {requests: 100000}}\nlog: {access: false}\n%s", s.Public, s.Admin, behind, more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("cannot write the configuration: %w", err)
	}
	if s.Gateway, err = proc.Start(gatewayCore, binary, "run", "--config", config); err != nil {
		return err
	}
	if err := s.Gateway.Ready(s.Admin); err != nil {
		return err
	}
	s.Load, err = load.NewGenerator(LoadCore)
	return err
}

// Stop ends what Start began.
func (s *Scene) Stop() {
	for _, p := range []*proc.Process{s.Gateway, s.upstream} {
		if p != nil {
			p.Stop()
		}
	}
	if s.Load != nil {
		s.Load.Close()
	}
	_ = os.RemoveAll(s.dir)
}
