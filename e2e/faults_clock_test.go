//go:build reliability

// The standard library is compiled anew for this one, which takes a minute: only
// `make reliability` does it. The unit tests of package proxy hold the same
// promise.

package e2e

import (
	enc "encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stepFile is package time's new source: a file that the test writes into says by
// how much the wall clock was stepped. Monotonic time is not touched, as with a
// step of the real clock.
const stepFile = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var wallStep = new(int64)

func init() {
	name, _ := syscall.Getenv("WALL_STEP")
	fd, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		panic("cannot open WALL_STEP")
	}
	m, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("cannot map WALL_STEP")
	}
	wallStep = (*int64)(unsafe.Pointer(&m[0]))
}

func steppedNow() (sec int64, nsec int32, mono int64) {
	sec, nsec, mono = runtimeNow()
	wall := sec*1e9 + int64(nsec) + atomic.LoadInt64(wallStep)
	return wall / 1e9, int32(wall % 1e9), mono
}
`

// buildStepped builds the gateway with a wall clock that can be stepped.
func buildStepped(t *testing.T) (program string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time")
	source, err := os.ReadFile(filepath.Join(root, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()"
	if strings.Count(string(source), now) != 1 {
		t.Fatal("package time has changed: this test does not know how to step its clock")
	}
	stepped := strings.Replace(string(source), now, strings.Replace(now, "runtimeNow", "steppedNow", 1), 1)
	overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(root, "time.go"): write("time.go", stepped),
		filepath.Join(root, "step.go"): write("step.go", stepFile),
	}})
	program = filepath.Join(dir, "gateway")
	build := exec.Command("go", "build", "-overlay", write("overlay.json", string(overlay)), "-o", program, "../cmd/gateway")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	return program
}

// One client asks about 60 times a second, three times its limit, while the wall
// clock of the gateway is stepped forward and back.
func TestFaultClockStepsOfARunningGateway(t *testing.T) {
	const steps = 100
	file, err := os.Create(filepath.Join(t.TempDir(), "step"))
	if err != nil {
		t.Fatal(err)
	}
	step := func(d time.Duration) {
		_, _ = file.WriteAt(enc.NativeEndian.AppendUint64(nil, uint64(d)), 0)
	}
	step(0)
	t.Setenv("WALL_STEP", file.Name())
	program, plain := buildStepped(t), binary
	binary = program
	defer func() { binary = plain }()
	g := startGateway(t, startStub(t, nil).URL, setup{})
	var all []answer
	for i := range steps * 10 {
		if i%10 == 5 {
			step([...]time.Duration{
				time.Hour, -time.Hour, time.Second, -time.Second, time.Duration(rand.Int64N(int64(2*time.Hour))) - time.Hour,
			}[i/10%5])
		}
		all = append(all, g.do(t, call{path: "/v2/users"}))
		time.Sleep(15 * time.Millisecond)
	}
	free, locked := judgeWindows(all, 20, time.Second)
	if free > 0 || locked > 0 {
		t.Errorf("%d free windows, %d lock-outs", free, locked)
	}
	step(10 * time.Hour)
	g.signal(t, syscall.SIGTERM)
	g.wait(t)
	if future := time.Now().UTC().Add(10 * time.Hour).Format("2006-01-02T15"); !strings.Contains(g.stderr.String(), future) {
		t.Errorf("the gateway's log shows no time of %s: its clock was not stepped", future)
	}
	figure(t, "running gateway, %d requests of one client in %v, %d steps of the wall clock of up to an hour: %d free windows, %d lock-outs longer than a window (%d admitted)",
		len(all), all[len(all)-1].received.Sub(all[0].sent).Round(time.Second), steps, free, locked, count(all, 200))
}
