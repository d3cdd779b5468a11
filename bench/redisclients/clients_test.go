// Package redisclients compares the clients that could carry the shared store, by
// what it does: one script for each decision, many callers at once. It starts its
// own redis-server. Run it with
//
//	go -C bench/redisclients test -bench . -benchtime 30000x
package redisclients

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

// script does about what a decision does: two lists, a time, an expiry.
const script = `
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local answer = {now, 1}
for i = 1, 2 do
	redis.call('LINDEX', KEYS[i], -1)
	answer[#answer + 1] = redis.call('LLEN', KEYS[i])
	redis.call('RPUSH', KEYS[i], now)
	redis.call('LTRIM', KEYS[i], -20, -1)
	redis.call('PEXPIRE', KEYS[i], 1000)
end
return answer`

func startRedis(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", "--port", port, "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return addr
		}
	}
}

func BenchmarkClients(b *testing.B) {
	addr := startRedis(b)
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("rueidis/callers=%d", callers), func(b *testing.B) {
			c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true, DisableRetry: true, AlwaysPipelining: true, PipelineMultiplex: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			s := rueidis.NewLuaScript(script)
			run(b, callers, func(ctx context.Context, keys []string) error {
				return s.Exec(ctx, c, keys, []string{"20", "1000000"}).Error()
			})
		})
		b.Run(fmt.Sprintf("go-redis/callers=%d", callers), func(b *testing.B) {
			c := goredis.NewClient(&goredis.Options{Addr: addr, ContextTimeoutEnabled: true, PoolSize: 64, MaxRetries: -1})
			defer c.Close()
			s := goredis.NewScript(script)
			run(b, callers, func(ctx context.Context, keys []string) error {
				return s.Run(ctx, c, keys, 20, 1000000).Err()
			})
		})
	}
}

func run(b *testing.B, callers int, call func(ctx context.Context, keys []string) error) {
	var n atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	b.ReportAllocs()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			var own []time.Duration
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				key := strconv.FormatInt(i%1000, 10)
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				begin := time.Now()
				if err := call(ctx, []string{"i" + key, "k" + key}); err != nil {
					b.Error(err)
				}
				own = append(own, time.Since(begin))
				cancel()
			}
			mu.Lock()
			all = append(all, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}
