// Command stores measures what a request through the gateway costs with each
// store: the time that it takes beyond the upstream's own, at a rate that one
// machine bears. It builds the gateway, starts a redis-server and an upstream, and
// prints a table. Run it with
//
//	go -C bench/stores run .
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

var (
	rate    = flag.Int("rate", 500, "requests a second")
	span    = flag.Duration("span", 5*time.Second, "how long each measurement takes")
	callers = flag.Int("callers", 16, "connections")
)

func main() {
	flag.Parse()
	dir, err := os.MkdirTemp("", "gateway-bench-")
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "gateway")
	build := exec.Command("go", "build", "-o", binary, "./cmd/gateway")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		log.Fatalf("cannot build the gateway: %v\n%s", err, out)
	}
	upstream := serve()
	redis := free()
	stop := run(redis, "redis-server", "--port", port(redis), "--save", "", "--appendonly", "no")
	defer stop()

	fmt.Println("| what | p50 | p99 | Redis commands per request |")
	fmt.Println("|---|---|---|---|")
	report("the upstream, directly", upstream, nil)
	for _, store := range []string{"memory", "redis"} {
		address := free()
		file := filepath.Join(dir, store+".yaml")
		check(os.WriteFile(file, []byte(fmt.Sprintf(`listen: {address: %q}
admin: {address: %q}
upstream: {url: "http://%s"}
limits: {per_ip: {requests: 100000}, per_key: {requests: 100000}}
loopguard: {consecutive: {messages: 10000}, identical: {messages: 10000}}
log: {access: false}
store: {kind: %s, redis: {addresses: [%q], key_secret: a secret of the benchmark}}
`, address, free(), upstream, store, redis)), 0o600))
		stop := run(address, binary, "run", "--config", file)
		report("a request, "+store, address, func() int { return commands(redis) })
		reportMessages("a message, "+store, address, func() int { return commands(redis) })
		stop()
	}
}

func report(what, address string, count func() int) {
	measure(what, address, count, func(i int) *http.Request {
		r, _ := http.NewRequest(http.MethodGet, "http://"+address+"/v2/users", nil)
		r.Header.Set("Authorization", fmt.Sprintf("Bearer token-%d", i%1000))
		return r
	})
}

func reportMessages(what, address string, count func() int) {
	measure(what, address, count, func(i int) *http.Request {
		body := fmt.Sprintf(`{"conversation":"c%d","text":"hello"}`, i%1000)
		r, _ := http.NewRequest(http.MethodPost, "http://"+address+"/v2/messages", bytes.NewBufferString(body))
		r.Header.Set("Authorization", fmt.Sprintf("Bearer token-%d", i%1000))
		r.Header.Set("Content-Type", "application/json")
		return r
	})
}

// measure sends requests at the rate, and counts how long each took and how many
// commands Redis was sent meanwhile.
func measure(what, address string, count func() int, request func(i int) *http.Request) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *callers}}
	warm(client, request)
	before := 0
	if count != nil {
		before = count()
	}
	var mu sync.Mutex
	var took []time.Duration
	work := make(chan int, *callers)
	var wg sync.WaitGroup
	for range *callers {
		wg.Go(func() {
			for i := range work {
				d := send(client, request(i))
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
			}
		})
	}
	ticker := time.NewTicker(time.Second / time.Duration(*rate))
	for i := range *rate * int(span.Seconds()) {
		<-ticker.C
		work <- i
	}
	ticker.Stop()
	close(work)
	wg.Wait()
	slices.Sort(took)
	per := "–"
	if count != nil {
		per = fmt.Sprintf("%.2f", float64(count()-before)/float64(len(took)))
	}
	fmt.Printf("| %s | %d µs | %d µs | %s |\n", what, took[len(took)/2].Microseconds(), took[len(took)*99/100].Microseconds(), per)
}

func warm(client *http.Client, request func(i int) *http.Request) {
	for i := range 200 {
		send(client, request(i))
	}
}

func send(client *http.Client, r *http.Request) time.Duration {
	begin := time.Now()
	resp, err := client.Do(r)
	check(err)
	_, _ = io.Copy(io.Discard, resp.Body)
	check(resp.Body.Close())
	if resp.StatusCode >= 400 {
		log.Fatalf("%s %s answers %s", r.Method, r.URL, resp.Status)
	}
	return time.Since(begin)
}

// serve is an upstream that answers at once.
func serve() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() {
		_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"id":"65aa0f00aabbccddeeff0011"}`)
		}))
	}()
	return ln.Addr().String()
}

// run starts a process and waits until it listens.
func run(address, name string, args ...string) (stop func()) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	if name == "redis-server" {
		cmd.Stderr = nil
	}
	check(cmd.Start())
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			log.Fatalf("cannot reach %s: %v", name, err)
		}
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// commands is how many scripts the server has run.
func commands(redis string) (n int) {
	out, err := exec.Command("redis-cli", "-p", port(redis), "INFO", "commandstats").Output()
	check(err)
	for _, line := range bytes.Split(out, []byte("\n")) {
		var calls int
		if _, err := fmt.Sscanf(string(line), "cmdstat_evalsha:calls=%d", &calls); err == nil {
			n += calls
		}
	}
	return n
}

func free() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
