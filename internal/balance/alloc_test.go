//go:build !race

package balance

import "testing"

func TestAGoodRequestAllocatesNothing(t *testing.T) {
	for _, n := range []int{1, 8} {
		g, members := group(n)
		if got := testing.AllocsPerRun(1000, func() {
			c := g.Pick(1, 0)
			members[c.Index].Start()
			members[c.Index].Report(1, Good, c.Trial)
			members[c.Index].End()
		}); got != 0 {
			t.Errorf("%d members: %v allocations", n, got)
		}
	}
}
