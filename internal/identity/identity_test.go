package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatshipper/gateway/internal/digest"
)

func sha(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// TestOrderOfAuthority: configuration, then introspection, then claims, then
// what is assumed of opaque tokens; and within the configuration the key goes
// before its user.
func TestOrderOfAuthority(t *testing.T) {
	botToken, adminToken := scoped(ada, "agent bot"), scoped(ada, "agent bot admin")
	asKey := func(token, user, role string) func(*Config) {
		return func(c *Config) { c.Keys = append(c.Keys, Key{SHA256: sha(token), User: user, Role: role}) }
	}
	asUser := func(id, role string) func(*Config) {
		return func(c *Config) { c.Users = append(c.Users, User{ID: id, Role: role}) }
	}
	humans := func(c *Config) { c.OpaqueTokens = "human" }
	asking := func(c *Config) { c.Introspection.Path = "/v2/users/self" }

	f := func(token, answer string, want Role, user string, changes ...func(*Config)) {
		t.Helper()
		d := directory(t, func(c *Config) {
			for _, change := range changes {
				change(c)
			}
		})
		w := lookup(t, d, token, now)
		if answer != "" && w.NeedsIntrospection {
			d.Introspected(&w, 200, []byte(answer), now)
		}
		for _, from := range []string{"reading", "the cache"} {
			if w.Role != want || string(w.UserID) != user {
				t.Errorf("from %s: a %s's, of user %q; want a %s's, of user %q", from, w.Role, w.UserID, want, user)
			}
			w = lookup(t, d, token, now)
		}
	}
	f(botToken, "", Bot, ada)
	f(adminToken, "", Human, ada)
	f(unsigned(`{"scope":"agent"}`), "", Human, "")
	f(unsigned(`{"scope":"wizard"}`), "", Bot, "", humans)
	f(opaqueToken, "", Bot, "")
	f(opaqueToken, "", Human, "", humans)
	f("a.b", "", Human, "", humans)
	f("a.b.c.d.e", "", Human, "", humans)
	f("a.b.c", "", Bot, "", humans)

	f(adminToken, "", Bot, ada, asUser(ada, "bot"))
	f(botToken, "", Human, ada, asUser(ada, "human"))
	f(botToken, "", Bot, ada, asUser(bert, "human"))
	f(botToken, "", Human, ada, asKey(botToken, "", "human"))
	f(botToken, "", Human, bert, asKey(botToken, bert, "human"))
	f(botToken, "", Human, ada, asKey(botToken, "", "human"), asUser(ada, "bot"))
	f(opaqueToken, "", Bot, bert, asKey(opaqueToken, bert, "bot"), humans)
	f(opaqueToken, "", Human, "", asKey(strings.Repeat("f", 32), bert, "bot"), humans)

	f(adminToken, `{"role":"bot"}`, Bot, ada, asking)
	f(botToken, `{"role":"agent"}`, Human, ada, asking)
	f(botToken, `{"role":"wizard"}`, Bot, ada, asking)
	f(adminToken, `{"name":"Ada"}`, Human, ada, asking)
	f(opaqueToken, `{"role":"bot"}`, Bot, "", asking, humans)
	f(opaqueToken, `{"role":"bot","id":"`+ada+`"}`, Bot, ada, asking)
	f(opaqueToken, `{"role":"bot","_id":"`+ada+`"}`, Bot, ada, asking)
	f(opaqueToken, `{"role":"agent","id":"`+ada+`"}`, Bot, ada, asking, asUser(ada, "bot"))
	f(adminToken, `{"role":"bot","id":"`+bert+`"}`, Bot, ada, asking)
	f(adminToken, `{"role":"bot"}`, Human, ada, asking, asUser(ada, "human"))
	f(adminToken, `{"role":"bot"}`, Human, ada, asking, asKey(adminToken, "", "human"))
}

func TestRoleOfAUserWithoutAToken(t *testing.T) {
	d := directory(t, func(c *Config) { c.Users = []User{{ada, "bot"}, {bert, "human"}} })
	f := func(user, words string, want Role) {
		t.Helper()
		if got := d.RoleOf(user, words); got != want {
			t.Errorf("user %q, words %q: a %s, want a %s", user, words, got, want)
		}
	}
	f(ada, "admin", Bot)
	f(bert, "bot", Human)
	f("other", "viewer agent bot", Bot)
	f("other", "bot admin", Human)
	f("", "agent ", Human)
	f("other", "owner", Nobody)
	f("other", "", Nobody)
	f("", "", Nobody)
}

func TestLookupTellsKeyUserAndSHA256(t *testing.T) {
	d := directory(t, nil)
	token := scoped(ada, "agent bot")
	want := Who{
		Key:    d.hasher.Sum([]byte(token)).Join(d.tokens),
		User:   d.hasher.Sum([]byte(ada)),
		SHA256: sha256.Sum256([]byte(token)),
		UserID: []byte(ada),
		Role:   Bot,
	}
	if diff := cmp.Diff(want, lookup(t, d, token, now)); diff != "" {
		t.Error(diff)
	}
}

func TestOneUserHasOneDigestWhateverTheToken(t *testing.T) {
	d := directory(t, nil)
	a, b := lookup(t, d, scoped(ada, "bot"), now), lookup(t, d, scoped(ada, "bot agent"), now)
	if a.User != b.User || a.Key == b.Key {
		t.Errorf("two tokens of one user: users %s and %s, keys %s and %s", a.User.Short(), b.User.Short(), a.Key.Short(), b.Key.Short())
	}
}

func TestTokenOfAnUnknownUserIsAUserOfItsOwn(t *testing.T) {
	d := directory(t, nil)
	f := func(token string) {
		t.Helper()
		if w := lookup(t, d, token, now); w.User != w.Key || w.UserID != nil || w.Key.IsZero() {
			t.Errorf("got %+v", w)
		}
	}
	f(opaqueToken)
	f(unsigned(`{"scope":"bot"}`))
	f(unsigned(`{"scope":"bot","_id":"` + strings.Repeat("x", 1000) + `"}`))
	f("a.b.c")
}

// TestUserIDAsTokenIsNotThatUser: whoever sends a user's id as the token must
// not be taken for that user.
func TestUserIDAsTokenIsNotThatUser(t *testing.T) {
	d := directory(t, nil)
	if lookup(t, d, ada, now).User == lookup(t, d, scoped(ada, "bot"), now).User {
		t.Error("the digest of a token must differ from the digest of a user's id")
	}
}

func TestSpellingsOfOneHeaderAreOneKey(t *testing.T) {
	d := directory(t, nil)
	want := lookup(t, d, opaqueToken, now)
	for _, value := range []string{"bearer " + opaqueToken, "  BEARER\t" + opaqueToken + " ", "Bearer " + opaqueToken + " x", opaqueToken} {
		got, _ := look(t, d, value, now)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", value, diff)
		}
	}
}

func TestOtherSchemesAreKeysOfTheirOwn(t *testing.T) {
	d := directory(t, func(c *Config) { c.OpaqueTokens = "human" })
	a, _ := look(t, d, "Basic dXNlcjpwYXNz", now)
	b, _ := look(t, d, "Basic b3RoZXI6cGFzcw==", now)
	if a.Key == b.Key || a.Role != Human || a.User != a.Key {
		t.Errorf("got %+v and %+v", a, b)
	}
}

func TestNoKeyIsNobodyUnlessOneIsRequired(t *testing.T) {
	f := func(required bool, value string, want Failure) {
		t.Helper()
		d := directory(t, func(c *Config) { c.Required = required })
		w, got := look(t, d, value, now)
		if diff := cmp.Diff(Who{}, w); diff != "" || got != want {
			t.Errorf("required %v, %q: failure %q, want %q; %s", required, value, got, want, diff)
		}
	}
	f(false, "", None)
	f(false, "Bearer ", None)
	f(true, "", Missing)
	f(true, "Bearer", Missing)
}

func TestOnlyABearerIsAKeyWhereOneIsRequired(t *testing.T) {
	d := directory(t, func(c *Config) { c.Required = true })
	f := func(value string, want Failure) {
		t.Helper()
		w, got := look(t, d, value, now)
		if got != want || w.Key.IsZero() {
			t.Errorf("%q: failure %q, want %q; the key counts: %v", value, got, want, !w.Key.IsZero())
		}
	}
	f("Basic eDp5", Missing)
	f("eDp5", Missing)
	f("bearer  eDp5", None)
}

func TestHugeTokenIsAKeyLikeAnyOther(t *testing.T) {
	d := directory(t, nil)
	token := unsigned(`{"_id":"` + ada + `","scope":"admin","x":"` + strings.Repeat("y", 100<<10) + `"}`)
	for range 2 {
		if w := lookup(t, d, token, now); w.Role != Human || string(w.UserID) != ada {
			t.Errorf("got %+v", w)
		}
	}
}

// TestEvictionChangesNoAnswer fills the cache with three times the tokens that
// it holds, and asks about the first ones again.
func TestEvictionChangesNoAnswer(t *testing.T) {
	d := directory(t, func(c *Config) { c.Users = []User{{ID: bert, Role: "human"}} })
	tokens := []string{opaqueToken, scoped(ada, "bot"), scoped(ada, "admin"), scoped(bert, "bot")}
	var want []Who
	for _, token := range tokens {
		want = append(want, lookup(t, d, token, now))
	}
	e := entry{until: forever, expires: forever, who: Who{Role: Human, UserID: bytes.Repeat([]byte{'x'}, maxUserID)}}
	var scratch Scratch
	for i := range uint64(3 * cacheBytes / (atUserID + maxUserID)) {
		e.who.Key = d.hasher.Sum(fmt.Append(nil, i))
		d.remember(&e, &scratch)
	}
	for i, token := range tokens {
		if d.recall(&e, want[i].Key, &scratch) {
			t.Error("the cache was not filled")
		}
		if diff := cmp.Diff(want[i], lookup(t, d, token, now)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestScratchOfOneRequestServesTheNext(t *testing.T) {
	d := directory(t, nil)
	var scratch Scratch
	for range 2 {
		for _, user := range []string{ada, bert, ""} {
			token := scoped(user, "bot")
			w, _ := d.Lookup([]byte("Bearer "+token), now, &scratch)
			if string(w.UserID) != user {
				t.Errorf("user %q, want %q", w.UserID, user)
			}
		}
	}
}

func TestClosedDirectoryStillAnswers(t *testing.T) {
	d := directory(t, nil)
	want := lookup(t, d, scoped(ada, "admin"), now)
	d.Close()
	d.Close()
	if diff := cmp.Diff(want, lookup(t, d, scoped(ada, "admin"), now)); diff != "" {
		t.Error(diff)
	}
}

func TestNamesOfRolesAndFailures(t *testing.T) {
	f := func(got fmt.Stringer, want string) {
		t.Helper()
		if got.String() != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(Nobody, "nobody")
	f(Human, "human")
	f(Bot, "bot")
	f(None, "")
	f(Missing, "an API key is required")
	f(Expired, "jwt expired")
	f(BadSignature, "invalid signature")
	f(Invalid, "invalid token")
	f(Unavailable, "the token can't be verified at the moment")
}

func TestNewRefusesAMistakenConfiguration(t *testing.T) {
	cfg := DefaultConfig()
	cfg.OpaqueTokens = "robot"
	cfg.Header = ""
	_, err := New(cfg, digest.NewHasher(""))
	if err == nil || err.Error() != `cannot use identity.header: expected the name of a header, got ""` {
		t.Errorf("got %v", err)
	}
}
