package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/chatshipper/gateway/bench/internal/peer"
)

// build makes the gateway's binary from the module that this one stands in.
func build(path string) error {
	cmd := exec.Command("make", "-s", "-C", "..", "build")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the gateway: %w: %s", err, out)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("cannot find the gateway that was built: %w", err)
	}
	return nil
}

// busy is the processor time that the whole machine has used, all cores together.
func busy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("cannot read the machine's load: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	var ticks int64
	for i, field := range fields[1:] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("cannot read the machine's load %q: %w", line, err)
		}
		// user nice system idle iowait irq softirq steal guest guest_nice: the
		// guests are counted in user and nice too.
		if i != 3 && i != 4 && i < 8 {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// cores are those that a peer, and what drives it, run on.
func (s *scenario) cores() (peerCores, loadCores string) {
	if s.free {
		return "0,1", "0,1"
	}
	return "0", "1"
}

// settings are what a peer is configured for.
func (s *scenario) settings(upstream string) peer.Settings {
	cores, _ := s.cores()
	perIP := raised
	if s.refused {
		perIP = documented
	}
	return peer.Settings{Upstream: upstream, PerIP: perIP, TLS: s.tls, Cores: cores}
}
