// Package load sends requests with wrk, as fast as they are answered, and tells
// what came of them. It knows nothing of what answers.
package load

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chatshipper/gateway/bench/internal/proc"
)

//go:embed load.lua
var script []byte

// The kinds of requests that load.lua knows.
const (
	Get     = "get"     // a small answer
	Large   = "large"   // an answer of 100 KB
	Message = "message" // a bot's message of about 200 bytes, each another text
	Upload  = "upload"  // a body of 1 MiB
)

// Callers is how many API keys the load has: more than the documented limit of 20
// per second needs.
const Callers = 10_000

// Generator sends load from chosen cores.
type Generator struct {
	cores string
	dir   string
	runs  atomic.Int64
}

// NewGenerator prepares the files that wrk reads. Close removes them.
func NewGenerator(cores string) (*Generator, error) {
	dir, err := os.MkdirTemp("", "gateway-load-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a directory: %w", err)
	}
	g := &Generator{cores: cores, dir: dir}
	g.runs.Store(time.Now().Unix() & 0xffffff)
	var callers strings.Builder
	for i := range Callers {
		callers.WriteString(Token(i, "viewer guest agent bot") + " " + words(i) + "\n")
	}
	for name, text := range map[string][]byte{"load.lua": script, "callers": []byte(callers.String())} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			g.Close()
			return nil, fmt.Errorf("cannot write the load's files: %w", err)
		}
	}
	return g, nil
}

// Close removes the generator's files.
func (g *Generator) Close() { _ = os.RemoveAll(g.dir) }

// Token is the bearer token of the n-th user with the given scopes: as long as
// ChatShipper's, with a signature of nobody.
func Token(n int, scope string) string {
	encode := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"_id":"5ee7372448d99400%08x","organization":"5ee7372448d9940011151f42","scope":%q,"grant_type":"client_credentials","iat":1795000000,"exp":4102444800}`, n, scope)
	signature := sha256.Sum256([]byte(claims))
	return encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(claims)) + "." + encode(signature[:])
}

// words is the n-th text of a message, 80 characters.
func words(n int) string {
	vocabulary := strings.Fields("your order left the depot this morning and will be with you before noon please call us when nobody is at home")
	random := rand.New(rand.NewPCG(1, uint64(n)))
	var text string
	for len(text) < 80 {
		text += vocabulary[random.IntN(len(vocabulary))] + " "
	}
	return text[:80]
}

// Result is what wrk says of one run. Latencies are in microseconds, from the
// first byte sent to the last received, over connections that each wait for
// their answer before they send on.
type Result struct {
	Requests, Micros, Bytes       int64
	P50, P99, P999, Max           int64
	Connect, Read, Write, Timeout int64
	Status                        int64         // answers of 400 and above
	CPU                           time.Duration `json:"-"` // that wrk itself used
}

// PerSecond is how many requests were answered in a second.
func (r Result) PerSecond() float64 { return float64(r.Requests) / float64(r.Micros) * 1e6 }

// Broken counts connections that failed.
func (r Result) Broken() int64 { return r.Connect + r.Read + r.Write + r.Timeout }

// Run sends requests of a kind to a server for some time, on every connection the
// next one when the last was answered.
func (g *Generator) Run(kind, url string, connections, seconds int) (Result, error) {
	return g.RunPaced(kind, url, connections, seconds, 0)
}

// RunPaced is Run with a pause before every request, ms.
func (g *Generator) RunPaced(kind, url string, connections, seconds, pause int) (Result, error) {
	p, err := proc.Start(g.cores, "wrk", "-t1", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%d", seconds),
		"--timeout", "10s", "--latency", "-s", filepath.Join(g.dir, "load.lua"), url,
		"--", kind, fmt.Sprint(g.runs.Add(1)), filepath.Join(g.dir, "callers"), fmt.Sprint(pause))
	if err != nil {
		return Result{}, err
	}
	r, err := parse(p.Output())
	r.CPU = p.Used()
	return r, err
}

// parse reads the line that load.lua prints at the end.
func parse(output string) (r Result, err error) {
	_, line, found := strings.Cut(output, "\nresult ")
	if !found {
		return r, fmt.Errorf("cannot find the result in what wrk printed: %s", strings.TrimSpace(output))
	}
	line, _, _ = strings.Cut(line, "\n")
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		return r, fmt.Errorf("cannot read wrk's result %q: %w", line, err)
	}
	if r.Requests == 0 || r.Micros == 0 {
		return r, fmt.Errorf("no request was answered: %s", line)
	}
	return r, nil
}
