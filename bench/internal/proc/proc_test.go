package proc

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A shell with a child that spins for about 0.3 s, then both wait for the end.
const spinning = `(timeout 0.3 sh -c 'while :; do :; done'; exec sleep 2) & wait`

func TestTheClockCountsTheChildrenAndAgreesWithProc(t *testing.T) {
	p, err := Start("", "sh", "-c", spinning)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	time.Sleep(600 * time.Millisecond) // real processes have real time only
	if err := p.settle(); err != nil {
		t.Fatal(err)
	}
	if len(p.tree) < 2 {
		t.Fatalf("the tree is %v, want the shell and its child", p.tree)
	}
	got, err := p.CPU()
	if err != nil {
		t.Fatal(err)
	}
	want := time.Duration(0)
	for _, pid := range p.tree {
		want += ticks(t, pid)
	}
	if d := (got - want).Abs(); d > time.Duration(len(p.tree)*25)*time.Millisecond {
		t.Errorf("the clock says %v, /proc/PID/stat says %v", got, want)
	}
	if memory, err := p.Memory(); err != nil || memory < 50<<10 || memory > 100<<20 {
		t.Errorf("memory %d, %v", memory, err)
	}
}

// ticks is utime + stime of /proc/PID/stat, in ticks of 10 ms.
func ticks(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:]))
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	if errUser != nil || errSystem != nil {
		t.Fatalf("cannot read %q", text)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

func TestTheClockCountsWhatASpinningProcessUses(t *testing.T) {
	p, err := Start("0", "sh", "-c", "while :; do :; done")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if err := p.settle(); err != nil {
		t.Fatal(err)
	}
	before, err := p.CPU()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	after, err := p.CPU()
	if used := after - before; err != nil || used < 5*time.Millisecond || used > 400*time.Millisecond {
		t.Errorf("%v used in 200 ms, %v", used, err)
	}
}

func TestACommandThatIsNotThereIsAnError(t *testing.T) {
	if _, err := Start("", "no-such-command"); err == nil {
		t.Error("started")
	}
}
