//go:build !race

package identity

import (
	"testing"
)

// TestLookupOfAKnownTokenAllocatesNothing holds the hot path to its promise.
func TestLookupOfAKnownTokenAllocatesNothing(t *testing.T) {
	f := func(name string, d *Directory, token string) {
		t.Helper()
		var scratch Scratch
		header := []byte("Bearer " + token)
		d.Lookup(header, now, &scratch)
		n := testing.AllocsPerRun(100, func() { d.Lookup(header, now, &scratch) })
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	f("opaque", directory(t, nil), opaqueToken)
	f("claims", directory(t, nil), scoped(ada, "bot"))
	f("to be asked about", directory(t, asking("/v2/users/{user}")), scoped(ada, "bot"))
	f("verified", verifying(t, JWT{Secret: secret}), hs256(t, claimsOf(ada, "bot", now+second)))
	f("expired", verifying(t, JWT{Secret: secret}), hs256(t, claimsOf(ada, "bot", now-second)))
	f("forged", verifying(t, JWT{Secret: secret}), scoped(ada, "bot"))
}
