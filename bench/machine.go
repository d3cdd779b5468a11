package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/chatshipper/gateway/bench/internal/peer"
)

// install brings in the peers and the load generator from Debian's packages.
func install() error {
	packages := map[string]string{
		"haproxy": "haproxy", "nginx": "nginx-light", "caddy": "caddy", "wrk": "wrk", "taskset": "util-linux", "redis-server": "redis-server",
	}
	var missing []string
	for command, name := range packages {
		if _, err := exec.LookPath(command); err != nil {
			missing = append(missing, name)
		}
	}
	for file, name := range map[string]string{
		"/usr/lib/nginx/modules/ngx_http_lua_module.so": "libnginx-mod-http-lua",
		"/usr/share/lua/5.1/cjson":                      "lua-cjson",
	} {
		if _, err := os.Stat(file); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fmt.Println("installing Debian packages:", strings.Join(missing, " "))
	return aptInstall(missing)
}

func aptInstall(packages []string) error {
	command := []string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get"}
	if os.Getuid() != 0 {
		command = append([]string{"sudo"}, command...)
	}
	install := append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)
	for _, args := range [][]string{{"update", "-qq"}, install} {
		args = append(command[1:len(command):len(command)], args...)
		if out, err := exec.Command(command[0], args...).CombinedOutput(); err != nil {
			return fmt.Errorf("cannot install %s: %w: %s", strings.Join(packages, " "), err, out)
		}
	}
	return nil
}

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

// first is the first line of what a command prints.
func first(name string, args ...string) string {
	out, err := exec.Command(name, args...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if line == "" && err != nil {
		return err.Error()
	}
	return line
}

// circumstances say what was measured on what.
func circumstances(binary string) []string {
	return []string{
		"Machine: " + processor() + ", " + strconv.Itoa(runtime.NumCPU()) + " cores; " + system(),
		"Gateway: " + first(binary, "version"),
		"Peers: " + first("haproxy", "-v") + "; " + first("nginx", "-v") + "; Caddy " + first("caddy", "version"),
		"Load: " + first("wrk", "-v"),
		"Built with: " + runtime.Version(),
	}
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	_, rest, _ := strings.Cut(string(text), "model name\t: ")
	name, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(name)
}

func system() string {
	name := first("sh", "-c", `. /etc/os-release && echo "$PRETTY_NAME"`)
	return name + ", Linux " + first("uname", "-r")
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
