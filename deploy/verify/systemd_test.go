package verify

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// maxExposure is systemd's own measure, from 0 (safe) to 10.
const maxExposure = 2.0

func TestSystemdFindsNothingWrongWithTheUnits(t *testing.T) {
	dir := t.TempDir()
	args := []string{"verify"}
	for _, name := range []string{"gateway.service", "gateway.socket"} {
		// A program of that name need not be installed where the test runs.
		text := strings.ReplaceAll(string(read(t, "deploy/systemd/"+name)), "/usr/bin/gateway", os.Args[0])
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	// An unknown key is only printed, with exit code 0.
	if out, err := exec.Command("systemd-analyze", args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestTheServiceIsHardlyExposed(t *testing.T) {
	unit := filepath.Join(root, "deploy/systemd/gateway.service")
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", unit).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	m := regexp.MustCompile(`Overall exposure level for gateway.service: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no level in:\n%s", out)
	}
	level, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil || level >= maxExposure {
		t.Errorf("exposure %s, want less than %v", m[1], maxExposure)
	}
	t.Logf("exposure %v", level)
}
