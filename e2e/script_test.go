package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts ask a gateway that runs; they read like the README.
func TestScripts(t *testing.T) {
	g := startGateway(t, startStub(t, nil).URL, setup{rest: "limits: {per_ip: {shadow: {requests: 15}}}\n"})
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("CONFIG", g.config)
			env.Setenv("ADMIN", g.admin)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"gateway": func(ts *testscript.TestScript, neg bool, args []string) {
				if err := ts.Exec("gateway", args...); (err != nil) != neg {
					ts.Fatalf("gateway %q: %v", args, err)
				}
			},
		},
	})
}
