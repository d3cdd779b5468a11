package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// blob is a body that no other request gets.
func blob(seed, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b)
	return b
}

// Answers that are moved in the kernel, that are streamed, and that are copied share
// connections to the upstream; some clients read slowly, some hang up.
func TestLargeAnswersReachWhoAskedForThem(t *testing.T) {
	t.Parallel()
	up := startStub(t, func(w http.ResponseWriter, r *http.Request) {
		seed, _ := strconv.Atoi(r.URL.Query().Get("seed"))
		size, _ := strconv.Atoi(r.URL.Query().Get("size"))
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(blob(seed, size))
	})
	g := startGateway(t, up.URL, setup{rest: "limits: {per_ip: {requests: 100000}, per_key: {requests: 100000}}\n"})
	sizes := []int{10, 4_000, 12_000, 17_000, 33_000, 100_000, 260_000, 300_000, 2_000_000}
	f := func(name string, number int, dial func() (net.Conn, error), pause time.Duration, rounds int) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }, DisableCompression: true}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: time.Minute}
			for i := range rounds {
				seed, size := number*10_000+i, sizes[(number+i)%len(sizes)]
				resp, err := client.Get(fmt.Sprintf("http://%s/v2/blob?seed=%d&size=%d", g.address, seed, size))
				if err != nil {
					t.Fatal(err)
				}
				if pause > 0 {
					time.Sleep(pause)
				}
				if name == "hangs up" && i%3 == 0 {
					_, _ = io.CopyN(io.Discard, resp.Body, int64(size/2))
					_ = resp.Body.Close()
					continue
				}
				got, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || !bytes.Equal(got, blob(seed, size)) {
					t.Fatalf("answer %d of %d bytes: status %d, %d bytes, %v", i, size, resp.StatusCode, len(got), err)
				}
			}
		})
	}
	plain := func() (net.Conn, error) { return net.Dial("tcp", g.address) }
	narrow := func() (net.Conn, error) {
		nc, err := plain()
		if err == nil {
			err = nc.(*net.TCPConn).SetReadBuffer(128 << 10)
		}
		return nc, err
	}
	for n := range 8 {
		f(fmt.Sprintf("reads %d", n), n, plain, 0, 60)
	}
	for n := range 4 {
		f(fmt.Sprintf("reads slowly %d", n), 10+n, narrow, 5*time.Millisecond, 9)
	}
	f("hangs up", 20, plain, 0, 60)
}
