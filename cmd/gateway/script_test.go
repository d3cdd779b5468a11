package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gateway": main})
}

// Every file of testdata/script is a session at a shell.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		UpdateScripts:      *update,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"freeport": freePort,
			"await":    await,
			"hup":      hup,
		},
		Setup: func(e *testscript.Env) error {
			root, err := filepath.Abs("../..")
			e.Setenv("ROOT", root)
			tools := filepath.Join(e.WorkDir, ".tools")
			e.Setenv("PATH", tools+string(filepath.ListSeparator)+e.Getenv("PATH"))
			return errors.Join(err, os.Mkdir(tools, 0o700), os.WriteFile(filepath.Join(tools, "code"), []byte(exitCode), 0o700))
		},
	})
}

// exitCode is a command that runs another as it is and then prints its exit code,
// which testscript does not tell: `exec code gateway check`, `stdout '^exit 78$'`.
const exitCode = "#!/bin/sh\n\"$@\"\necho exit $?\n"

// freePort puts a loopback address on which nobody listens into each variable NAME,
// and its port alone into NAMEPORT.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Setenv(name, ln.Addr().String())
		ts.Setenv(name+"PORT", strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
		ts.Check(ln.Close())
	}
}

// await waits until a URL is answered, and by more than a refusal to serve; or
// until somebody listens on tcp://ADDRESS.
func await(ts *testscript.TestScript, _ bool, args []string) {
	var last any
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if address, ok := strings.CutPrefix(args[0], "tcp://"); ok {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				_ = conn.Close()
				return
			}
			last = err
			continue
		}
		resp, err := http.Get(args[0])
		if err != nil {
			last = err
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode < http.StatusInternalServerError {
			return
		}
		last = resp.Status
	}
	ts.Fatalf("%s: %v", args[0], last)
}

// hup sends SIGHUP to the process whose number stands in a file.
func hup(ts *testscript.TestScript, _ bool, args []string) {
	var pid int
	_, err := fmt.Sscan(ts.ReadFile(args[0]), &pid)
	ts.Check(err)
	ts.Check(syscall.Kill(pid, syscall.SIGHUP))
}

// Those of explain and top need an upstream of their own, and stand in e2e.
func TestEveryCommandHasAScript(t *testing.T) {
	var sessions strings.Builder
	for _, folder := range []string{"testdata/script", "../../e2e/testdata/script"} {
		files, err := filepath.Glob(folder + "/*.txtar")
		if err != nil || len(files) == 0 {
			t.Fatalf("found no script in %s: %v", folder, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sessions.Write(text)
		}
	}
	for _, cmd := range commands() {
		if called := regexp.MustCompile(`(?m)^(!?|exec .*)\s*gateway ` + cmd.name + `\b`); !called.MatchString(sessions.String()) {
			t.Errorf("no script calls gateway %s", cmd.name)
		}
	}
}
