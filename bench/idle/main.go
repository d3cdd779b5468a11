// Command idle measures what the gateway holds in memory for connections that are
// kept open: each sends one request, and nothing more.
//
//	go -C bench run ./idle -connections 10000
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/chatshipper/gateway/bench/internal/scene"
)

func main() {
	scene.ServeUpstream()
	connections := flag.Int("connections", 10_000, "how many")
	flag.Parse()
	if err := run(*connections, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "idle:", err)
		os.Exit(1)
	}
}

func run(connections int, out io.Writer) error {
	s, err := scene.Start("")
	if err != nil {
		return err
	}
	defer s.Stop()
	before, err := s.Gateway.Memory()
	if err != nil {
		return err
	}
	for range connections {
		c, err := net.Dial("tcp", s.Public)
		if err != nil {
			return fmt.Errorf("cannot open a connection: %w", err)
		}
		defer func() { _ = c.Close() }()
		if err := ask(c); err != nil {
			return err
		}
	}
	time.Sleep(5 * time.Second) // until what only the requests needed is given back
	after, err := s.Gateway.Memory()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%.1f MB after the start, %.1f MB with %d idle connections: %.1f kB for each\n",
		float64(before)/1e6, float64(after)/1e6, connections, float64(after-before)/float64(connections)/1e3)
	return nil
}

// ask sends a request and reads the answer.
func ask(c net.Conn) error {
	r, err := http.NewRequest(http.MethodGet, "http://gateway/v2/contacts/65aa0e00aabbccddeeff0001", nil)
	if err != nil {
		return fmt.Errorf("cannot make a request: %w", err)
	}
	if err := r.Write(c); err != nil {
		return fmt.Errorf("cannot send a request: %w", err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), r)
	if err != nil {
		return fmt.Errorf("cannot read an answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("cannot count an answer of %d: %w", answer.StatusCode, err)
	}
	return nil
}
