// Package debian brings in what a comparison needs from Debian's packages, and
// tells what a machine is and which versions it has.
package debian

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// Install brings in the peers and the load generator from Debian's packages.
func Install(out io.Writer) error {
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
	fmt.Fprintln(out, "installing Debian packages:", strings.Join(missing, " "))
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

// First is the first line of what a command prints.
func First(name string, args ...string) string {
	out, err := exec.Command(name, args...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if line == "" && err != nil {
		return err.Error()
	}
	return line
}

// Circumstances say what was compared on what.
func Circumstances(binary string) []string {
	return []string{
		"Machine: " + processor() + ", " + strconv.Itoa(runtime.NumCPU()) + " cores; " + system(),
		"Gateway: " + First(binary, "version"),
		"Others: " + First("haproxy", "-v") + "; " + First("nginx", "-v") + "; Caddy " + First("caddy", "version"),
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
	name := First("sh", "-c", `. /etc/os-release && echo "$PRETTY_NAME"`)
	return name + ", Linux " + First("uname", "-r")
}
