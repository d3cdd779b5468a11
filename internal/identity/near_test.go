package identity

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatshipper/gateway/internal/digest"
)

func TestAPlainIDFitsIntoALineAndNoOtherDoes(t *testing.T) {
	f := func(id string, want bool) {
		t.Helper()
		first, last, fits := packed([]byte(id))
		if fits != want || fits && string(appendPlain(nil, first, last)) != id {
			t.Errorf("%q fits: %v; it came back as %q", id, fits, appendPlain(nil, first, last))
		}
	}
	f(ada, true)
	f("0123456789abcdef01234567", true)
	f("fedcba9876543210fedcba98", true)
	f("0123456789abcdef0123456", false)
	f("0123456789abcdef012345678", false)
	f("0123456789ABCDEF01234567", false)
	f("0123456789abcdef0123456g", false)
	f("0123456789abcdef0123456/", false)
	f("", false)
	if _, _, fits := packed(nil); !fits {
		t.Error("a token without a user fits")
	}
}

// Keys of one set push each other out, lines go stale, epochs change, refusals come
// and go: whatever is found is what was kept last.
func TestWhatIsNearIsWhatWasKeptLast(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	n := newNear()
	last := make(map[digest.ID]entry)
	found := 0
	for range 20_000 {
		key := digest.ID{Hi: random.Uint64N(2)*nearSets + random.Uint64N(2), Lo: random.Uint64N(3)}
		now, epoch := int64(1+random.IntN(100)), random.Uint32N(2)
		if random.IntN(2) == 0 {
			e := entry{until: int64(1 + random.IntN(100)), expires: int64(1 + random.IntN(100)), epoch: epoch}
			e.who = Who{Key: key, User: key.Join(key), Role: Role(1 + random.IntN(2)), Verified: random.IntN(2) == 0, NeedsIntrospection: random.IntN(2) == 0}
			e.failure = []Failure{None, None, Expired}[random.IntN(3)]
			e.who.UserID = [][]byte{nil, []byte(ada), []byte("somebody")}[random.IntN(3)]
			n.keep(&e)
			last[key] = e
			continue
		}
		var got Who
		if !n.recall(&got, key, epoch, now, new(Scratch)) {
			continue
		}
		found++
		want := last[key]
		if diff := cmp.Diff(want.who, got); diff != "" || want.failure != None || want.epoch != epoch || now >= want.until || want.who.Verified && now >= want.expires {
			t.Fatalf("at %d in epoch %d: %+v was kept, and is %s", now, epoch, want, diff)
		}
	}
	if found < 500 {
		t.Errorf("only %d of 10,000 looks found anything", found)
	}
}

func TestNearlyAllOfTenThousandKeysKeepTheirLines(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	n := newNear()
	keys := make([]digest.ID, 10_000)
	for i := range keys {
		keys[i] = digest.ID{Hi: random.Uint64(), Lo: random.Uint64()}
		n.keep(&entry{until: 2, expires: 2, who: Who{Key: keys[i], Role: Bot}})
	}
	lost := 0
	for _, key := range keys {
		if n.line(key) == nil {
			lost++
		}
	}
	if lost > len(keys)/100 {
		t.Errorf("%d of %d keys have no line", lost, len(keys))
	}
}

func TestALineIsNeverHalfWritten(t *testing.T) {
	n := newNear()
	var all sync.WaitGroup
	entryOf := func(i uint64) entry {
		id := bytes.Repeat([]byte{"0123456789abcdef"[i%16]}, plainID)
		return entry{until: forever, expires: forever, who: Who{Key: digest.ID{Lo: i % 2}, User: digest.ID{Hi: i, Lo: i}, Role: Role(1 + i%2), UserID: id}}
	}
	for g := range uint64(4) {
		all.Go(func() {
			var scratch Scratch
			for i := range uint64(5_000) {
				e := entryOf(4*i + g)
				n.keep(&e)
				var got Who
				if n.recall(&got, e.who.Key, 0, 1, &scratch) {
					if want := entryOf(got.User.Lo); got.User.Hi != got.User.Lo || !bytes.Equal(got.UserID, want.who.UserID) || got.Role != want.who.Role || got.Key != want.who.Key {
						t.Errorf("a mixture: %+v", got)
					}
				}
			}
		})
	}
	all.Wait()
}

// An answer of the upstream about a token that was looked up quickly loses nothing
// of what is known of it.
func TestAnAnswerAboutATokenKeepsItsSHA256(t *testing.T) {
	d := directory(t, asking("/v2/users/{user}"))
	token := scoped(ada, "bot")
	first := lookup(t, d, token, now)
	quick, _ := d.Lookup([]byte("Bearer "+token), now, new(Scratch))
	d.Introspected(&quick, 200, []byte(`{"role":"admin"}`), now)
	w := lookup(t, d, token, now)
	if w.Role != Human || w.SHA256 != first.SHA256 || w.NeedsIntrospection {
		t.Errorf("got %s, %x, asks again: %v", w.Role, w.SHA256, w.NeedsIntrospection)
	}
}

func TestLongAndOddUsersAreKnownAllTheSame(t *testing.T) {
	d := directory(t, nil)
	for _, user := range []string{"x", strings.Repeat("x", maxUserID), strings.ToUpper(ada)} {
		if w := lookup(t, d, scoped(user, "bot"), now); string(w.UserID) != user {
			t.Errorf("%q became %q", user, w.UserID)
		}
	}
}
