package redisstore

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/chatshipper/gateway/internal/unit"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// measured runs b.N calls of some callers at once and reports how long one takes.
func measured(b *testing.B, callers int, call func(i int)) {
	var next atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			var own []time.Duration
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				begin := time.Now()
				call(i)
				own = append(own, time.Since(begin))
			}
			mu.Lock()
			all = append(all, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1e3, "p99-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}

func hits(i int) (ip, key limiter.Hit) {
	return perSecond("ip" + strconv.Itoa(i%1000)), perSecond("key" + strconv.Itoa(i%1000))
}

// BenchmarkRequest decides an address and a key together: in this process, on a
// server, and on a server in the way that envoyproxy/ratelimit publishes (INCRBY
// and EXPIRE of a fixed window for each, in one pipeline), which is not exact.
func BenchmarkRequest(b *testing.B) {
	server := startServer(b)
	s := open(b, testConfig(server.addr), nil)
	c := s.client.Load()
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("memory/callers=%d", callers), func(b *testing.B) {
			measured(b, callers, func(i int) {
				ip, key := hits(i)
				s.limits.Take(time.Now().UnixNano(), ip, key)
			})
		})
		b.Run(fmt.Sprintf("redis/callers=%d", callers), func(b *testing.B) {
			before := s.Failed("limit")
			measured(b, callers, func(i int) { s.Take(0, perSecond("ip"+strconv.Itoa(i%1000)), perSecond("key"+strconv.Itoa(i%1000))) })
			if n := s.Failed("limit") - before; n != 0 {
				b.Errorf("%d calls failed", n)
			}
		})
		b.Run(fmt.Sprintf("fixed-window/callers=%d", callers), func(b *testing.B) {
			measured(b, callers, func(i int) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				window := "_" + strconv.FormatInt(time.Now().Unix(), 10)
				var commands []rueidis.Completed
				for _, key := range []string{"ip" + strconv.Itoa(i%1000) + window, "key" + strconv.Itoa(i%1000) + window} {
					commands = append(commands, c.B().Incrby().Key(key).Increment(1).Build(), c.B().Expire().Key(key).Seconds(1).Build())
				}
				for _, answer := range c.DoMulti(ctx, commands...) {
					if answer.Error() != nil {
						b.Error(answer.Error())
					}
				}
			})
		})
	}
}

// BenchmarkMessage reserves a place and keeps it: two decisions' worth of calls.
func BenchmarkMessage(b *testing.B) {
	server := startServer(b)
	s := open(b, testConfig(server.addr), nil)
	for name, store := range map[string]loopguard.Store{"memory": s.messages, "redis": s} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				measured(b, callers, func(i int) {
					var res loopguard.Reservation
					store.Reserve(time.Now().UnixNano(), rules, bot, message(strconv.Itoa(i), "hello"), &res)
					store.Keep(&res)
				})
			})
		}
	}
}

// fillScript makes many keys at once, just as the scripts of decisions would have
// made them one by one; TestTheFilledKeysAreLikeRealOnes holds it to that.
//
//nolint:dupword // it is Lua
const fillScript = `
local first, n, what, times = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
for i = first, first + n - 1 do
	local id = string.format('%022d', i)
	local entries = {}
	for t = 1, times do
		local at = string.format('%.0f', 1790000000000000 + t * 1000)
		entries[#entries + 1] = at
		if what == 'conversation' then entries[#entries + 1] = string.format('%011d', t) end
	end
	if what == 'key' then
		redis.call('RPUSH', 'gw{l}k' .. id, unpack(entries))
		redis.call('PEXPIRE', 'gw{l}k' .. id, 3600000)
	else
		local tag = 'gw{' .. id .. '}'
		redis.call('ZADD', tag .. 'ck' .. id, unpack(entries))
		redis.call('PEXPIRE', tag .. 'ck' .. id, 3600000)
		redis.call('ZADD', tag .. 'ik' .. id, entries[1], entries[2])
		redis.call('PEXPIRE', tag .. 'ik' .. id, 3600000)
		redis.call('HSET', tag .. 'r', 'newest', entries[1], 'author', '')
		redis.call('PEXPIRE', tag .. 'r', 3600000)
	end -- of a conversation
end
return 1`

func fill(s *server, what string, from, n, times int) {
	for ; n > 0; from, n = from+min(n, 2000), n-min(n, 2000) {
		s.do("EVAL", fillScript, "0", strconv.Itoa(from), strconv.Itoa(min(n, 2000)), what, strconv.Itoa(times))
	}
}

func memoryOf(s *server) int {
	for line := range strings.Lines(s.do("INFO", "memory")) {
		if bytes, ok := strings.CutPrefix(line, "used_memory:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(bytes))
			return n
		}
	}
	s.t.Fatal("the server does not say how much memory it uses")
	return 0
}

func TestTheFilledKeysAreLikeRealOnes(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s := open(t, testConfig(server.addr), nil)
	hour := limiter.Hit{ID: idOf("k"), Limit: limiter.Limit{Requests: 20, Window: time.Hour}}
	for i := range 20 {
		s.Take(0, limiter.Hit{}, hour)
		var res loopguard.Reservation
		s.Reserve(0, rules, bot, message("c", strconv.Itoa(i)), &res)
		s.Keep(&res)
	}
	s.Reply(0, loopguard.Reply{Conversation: idOf("c"), Window: time.Hour})
	fill(server, "key", 1, 1, 20)
	fill(server, "conversation", 1, 1, 20)
	id := fmt.Sprintf("%022d", 1)
	c := idOf("c")
	same := func(made, filled string) {
		t.Helper()
		usage := func(key string) int {
			n, _ := strconv.Atoi(server.do("MEMORY", "USAGE", key))
			return n
		}
		if a, b := usage(made), usage(filled); a == 0 || a-b > a/20 || b-a > a/20 {
			t.Errorf("%s takes %d bytes, %s takes %d", made, a, filled, b)
		}
	}
	same(requestKey('k', idOf("k")), "gw{l}k"+id)
	same(messageKey(c, loopguard.Consecutive, kept, bot.Bot.Join(c)), "gw{"+id+"}ck"+id)
	same(messageKey(c, loopguard.Identical, kept, bot.Bot.Join(c).Join(idOf("0"))), "gw{"+id+"}ik"+id)
	same(replyKey(c), "gw{"+id+"}r")
}

// BenchmarkCapacity reports what a key with 20 requests and a conversation with 20
// messages (one of them in the last three minutes, and a reply) take. The sizes
// are those of GATEWAY_CAPACITY, "1000,100000" by default.
func BenchmarkCapacity(b *testing.B) {
	sizes := os.Getenv("GATEWAY_CAPACITY")
	if sizes == "" {
		sizes = "1000,100000"
	}
	for size := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			b.Fatal(err)
		}
		for _, what := range []string{"key", "conversation"} {
			b.Run(fmt.Sprintf("redis/%s/%d", what, n), func(b *testing.B) {
				once(b)
				server := startServer(b)
				before := memoryOf(server)
				fill(server, what, 1, n, 20)
				b.ReportMetric(float64(memoryOf(server)-before)/float64(n), "B/"+what)
			})
			b.Run(fmt.Sprintf("memory/%s/%d", what, n), func(b *testing.B) { fillMemory(b, what, n) })
		}
	}
}

// once has nothing repeated: what is asked is how much there is, not how long it
// takes.
func once(b *testing.B) {
	for b.Loop() {
	}
	b.ReportMetric(0, "ns/op")
}

func fillMemory(b *testing.B, what string, n int) {
	once(b)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	limits, messages := limiter.NewMemory(64<<30), loopguard.NewMemory(64<<30)
	at := int64(1_790_000_000_000_000_000)
	begin := time.Now()
	for i := range n {
		id := hasher.Sum(strconv.AppendInt(nil, int64(i), 10))
		if what == "key" {
			for range 20 {
				limits.Take(at, limiter.Hit{}, limiter.Hit{ID: id, Limit: limiter.Limit{Requests: 20, Window: time.Hour}})
			}
			continue
		}
		long := []loopguard.Message{{Conversation: id}}
		for m := range uint64(20) {
			long[0].Content.Lo = m
			messages.Charge(at+int64(m/19)*int64(10*time.Minute), charged[m/19], bot, long)
		}
		messages.Reply(at, loopguard.Reply{Conversation: id, At: at})
	}
	filled := time.Since(begin)
	b.ReportMetric(float64(heap()-before)/float64(n), "B/"+what)
	b.ReportMetric(float64(filled.Nanoseconds())/float64(20*n), "ns/entry")
	runtime.KeepAlive(limits)
	runtime.KeepAlive(messages)
}

// charged are the rules by which a conversation's messages are counted: of all
// but the last the text is forgotten already.
var charged = [2]*loopguard.Rules{rulesOfConsecutiveOnly(), rules}

func rulesOfConsecutiveOnly() *loopguard.Rules {
	cfg := loopguard.DefaultConfig()
	cfg.Identical.Mode = unit.Off
	return loopguard.Compile(cfg)
}
