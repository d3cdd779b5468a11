package balance

import (
	"fmt"
	"testing"
)

// A request through a group: chosen, counted in and out, reported as good.
func BenchmarkPick(b *testing.B) {
	for _, n := range []int{1, 2, 8, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g, members := group(n)
			b.ReportAllocs()
			for b.Loop() {
				c := g.Pick(1, 0)
				m := members[c.Index]
				m.Start()
				m.Report(1, Good, c.Trial)
				m.End()
			}
		})
	}
}

// The same with the library asked for each request, as it is meant to be used.
func BenchmarkBreakerForEachRequest(b *testing.B) {
	breaker := newBreaker(settings)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if done, err := breaker.Allow(); err == nil {
				done(nil)
			}
		}
	})
}

func BenchmarkPickParallel(b *testing.B) {
	g, members := group(1)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c := g.Pick(1, 0)
			m := members[c.Index]
			m.Start()
			m.Report(1, Good, c.Trial)
			m.End()
		}
	})
}
