// Package proc starts the processes of a benchmark on chosen cores and tells what
// they cost: processor time from the kernel's per-process clock, in nanoseconds,
// and memory. It knows nothing of what the processes do. Linux only.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Process is a running command.
type Process struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	done   chan struct{}
	tree   []int // the process and its descendants, once counted
}

// Start runs a command on the given cores ("0", "0,1"; empty means any).
func Start(cores, name string, args ...string) (*Process, error) {
	if cores != "" {
		args = append([]string{"-c", cores, name}, args...)
		name = "taskset"
	}
	p := &Process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	// Nothing that was started may outlive the benchmark, even if it is killed.
	p.cmd.WaitDelay = time.Second // a child may hold the output open
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Exited tells whether the process has ended.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Output is what the process printed; call it only after it has ended.
func (p *Process) Output() string {
	<-p.done
	return p.output.String()
}

// Used is the processor time of a process that has ended, and of its children.
func (p *Process) Used() time.Duration {
	<-p.done
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// Stop asks the process to end, and ends it after five seconds.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// Signal sends a signal to the process itself.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Ready waits until the process takes connections at an address and all its
// descendants have started, after which CPU and Memory count them.
func (p *Process) Ready(addr string) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if p.Exited() {
			return fmt.Errorf("cannot reach %s: the process ended: %s", addr, strings.TrimSpace(p.Output()))
		}
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			time.Sleep(200 * time.Millisecond)
			return p.settle()
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("cannot reach %s after 10 s", addr)
}

// settle looks up the descendants.
func (p *Process) settle() error {
	parents, err := parents()
	if err != nil {
		return err
	}
	p.tree = []int{p.cmd.Process.Pid}
	for i := 0; i < len(p.tree); i++ {
		p.tree = append(p.tree, parents[p.tree[i]]...)
	}
	return nil
}

// parents maps each process to its children.
func parents() (map[int][]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	children := map[int][]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state ppid …, and the name may hold anything.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		pid, errPID := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		parent, errParent := strconv.Atoi(fields[1])
		if err := errors.Join(errPID, errParent); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", file, err)
		}
		children[parent] = append(children[parent], pid)
	}
	return children, nil
}

// CPU is the processor time that the process and its descendants have used.
func (p *Process) CPU() (time.Duration, error) {
	var sum time.Duration
	for _, pid := range p.tree {
		d, err := processClock(pid)
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// processClock reads the clock that clock_getcpuclockid(3) names: user and system
// time of all threads, ended ones too. /proc/PID/stat says the same in ticks of 10 ms.
func processClock(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED
	clock := int32(^pid<<3 | scheduled)
	var t syscall.Timespec
	if _, _, e := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0); e != 0 {
		return 0, fmt.Errorf("cannot read the processor clock of process %d: %w", pid, e)
	}
	return time.Duration(t.Nano()), nil
}

// Memory is what the process and its descendants hold in memory, in bytes; a page
// that several share is counted once in all (proportional set size).
func (p *Process) Memory() (int64, error) {
	var sum int64
	for _, pid := range p.tree {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, fmt.Errorf("cannot read the memory of process %d: %w", pid, err)
		}
		_, rest, _ := strings.Cut(string(text), "\nPss:")
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			return 0, fmt.Errorf("cannot find Pss among the memory figures of process %d", pid)
		}
		kib, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("cannot read the memory of process %d: %w", pid, err)
		}
		sum += kib << 10
	}
	return sum, nil
}
