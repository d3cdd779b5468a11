package identity

import (
	"testing"
)

func asking(path string) func(*Config) {
	return func(c *Config) { c.Introspection.Path = path }
}

func TestIntrospectionPath(t *testing.T) {
	f := func(path, token, want string) {
		t.Helper()
		d := directory(t, asking(path))
		w := lookup(t, d, token, now)
		if !w.NeedsIntrospection {
			t.Errorf("%s: nothing is asked", path)
			return
		}
		if got := string(d.IntrospectionPath([]byte("GET "), &w)); got != "GET "+want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("/v2/users/{user}", scoped(ada, "bot"), "/v2/users/"+ada)
	f("/v2/users/{user}/of/{user}", scoped("a-b_C9", "bot"), "/v2/users/a-b_C9/of/a-b_C9")
	f("/v2/users/self", scoped(ada, "bot"), "/v2/users/self")
	f("/v2/users/self", scoped("", "bot"), "/v2/users/self")
	f("/v2/users/self", opaqueToken, "/v2/users/self")
}

// TestNothingIsAsked about a token without a user's id, where the path needs
// one, nor about an id that would lead elsewhere.
func TestNothingIsAsked(t *testing.T) {
	f := func(token string, changes ...func(*Config)) {
		t.Helper()
		d := directory(t, func(c *Config) {
			asking("/v2/users/{user}")(c)
			for _, change := range changes {
				change(c)
			}
		})
		for range 2 {
			if w := lookup(t, d, token, now); w.NeedsIntrospection {
				t.Errorf("%q is asked about", w.UserID)
			}
		}
	}
	f(opaqueToken)
	f(scoped("", "bot"))
	f(scoped("..", "bot"))
	f(scoped("../organizations", "bot"))
	f(scoped("a%2fb", "bot"))
	f(scoped("a?x=y", "bot"))
	f(scoped("a b", "bot"))
	f(scoped("ä", "bot"))
	f(scoped("a\r\nX: y", "bot"))
	f(scoped(ada, "bot"), func(c *Config) { c.Users = []User{{ID: ada, Role: "bot"}} })
	f(scoped(ada, "bot"), func(c *Config) { c.Keys = []Key{{SHA256: sha(scoped(ada, "bot")), Role: "bot"}} })
	f(scoped(ada, "bot"), asking(""))
}

func TestIntrospectionPathWithoutNeedIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	directory(t, nil).IntrospectionPath(nil, &Who{})
}

func TestAnswerNamesARole(t *testing.T) {
	f := func(body string, want Role) {
		t.Helper()
		members, _ := readObject([]byte(body))
		if got := readAnswer(members).role(); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	f(`{"role":"bot"}`, Bot)
	f(`{"role":"agent"}`, Human)
	f(`{"role":"bot admin"}`, Human)
	f(`{"role":["agent","bot"]}`, Bot)
	f(`{"scope":"viewer guest agent bot"}`, Bot)
	f(`{"scope":["viewer","admin"]}`, Human)
	f(`{"role":"agent","scope":"bot"}`, Bot)
	f(`{"organizations":[{"role":"agent"},{"role":"bot"}]}`, Bot)
	f(`{"organizations":[{"role":"bot"},{"role":["admin"]}]}`, Human)
	f(`{"organizations":[7,null,{"role":"bot"}]}`, Bot)
	f(`{"role":"bot","organizations":[{"role":"guest"}]}`, Bot)
	f(`{"organizations":{"role":"bot"}}`, Nobody)
	f(`{"Role":"bot"}`, Nobody)
	f(`{"role":"owner"}`, Nobody)
	f(`{"user":{"role":"bot"}}`, Nobody)
	f(`{}`, Nobody)
}

// TestAnswerIsBelievedForItsTTL, and whatever is no answer for five seconds at
// most, in which the claims decide.
func TestAnswerIsBelievedForItsTTL(t *testing.T) {
	token := scoped(ada, "agent bot admin")
	f := func(status int, body string, ttl, until int64, want Role) {
		t.Helper()
		d := directory(t, asking("/v2/users/{user}"))
		d.ttl = ttl
		w := lookup(t, d, token, now)
		d.Introspected(&w, status, []byte(body), now)
		if w.Role != want || w.NeedsIntrospection {
			t.Errorf("%d %s: at once %+v", status, body, w)
		}
		if w = lookup(t, d, token, now+until-1); w.Role != want || w.NeedsIntrospection {
			t.Errorf("%d %s: just before its end %+v", status, body, w)
		}
		if w = lookup(t, d, token, now+until); w.Role != Human || !w.NeedsIntrospection {
			t.Errorf("%d %s: at its end %+v", status, body, w)
		}
	}
	const bot = `{"id":"` + ada + `","role":"bot"}`
	f(200, bot, 300*second, 300*second, Bot)
	f(206, bot, 300*second, 300*second, Bot)
	f(200, bot, second, second, Bot)
	f(200, `{"role":"owner"}`, 300*second, 300*second, Human)
	f(200, `{}`, 300*second, 300*second, Human)

	f(200, ``, 300*second, 5*second, Human)
	f(200, `[`+bot+`]`, 300*second, 5*second, Human)
	f(200, `null`, 300*second, 5*second, Human)
	f(200, `<html>`, 300*second, 5*second, Human)
	f(0, bot, 300*second, 5*second, Human)
	f(199, bot, 300*second, 5*second, Human)
	f(302, bot, 300*second, 5*second, Human)
	f(401, bot, 300*second, 5*second, Human)
	f(500, bot, 300*second, 5*second, Human)
	f(500, bot, second, second, Human)
}

// TestAnswerThatOutlivesItsEntry: the cache forgot the token while the upstream
// was asked. The answer serves this request; the next one asks again.
func TestAnswerThatOutlivesItsEntry(t *testing.T) {
	d := directory(t, asking("/v2/users/{user}"))
	w := lookup(t, d, scoped(ada, "admin"), now)
	d.cache.Reset()
	d.Introspected(&w, 200, []byte(`{"role":"bot"}`), now)
	if w.Role != Bot {
		t.Errorf("got %+v", w)
	}
	if w = lookup(t, d, scoped(ada, "admin"), now); w.Role != Human || !w.NeedsIntrospection {
		t.Errorf("got %+v", w)
	}
}

func TestAnswerDoesNotProlongAVerifiedToken(t *testing.T) {
	d := directory(t, func(c *Config) {
		asking("/v2/users/{user}")(c)
		c.JWT.Secret = secret
	})
	token := hs256(t, claimsOf(ada, "bot admin", now+60*second))
	w := lookup(t, d, token, now)
	d.Introspected(&w, 200, []byte(`{"role":"bot"}`), now)
	if w = lookup(t, d, token, now+60*second-1); w.Role != Bot || !w.Verified {
		t.Errorf("got %+v", w)
	}
	judge(t, d, token, now+60*second, Expired)
}

// TestLongIDInAnAnswerIsNone, as in claims.
func TestLongIDInAnAnswerIsNone(t *testing.T) {
	d := directory(t, asking("/self"))
	w := lookup(t, d, opaqueToken, now)
	long := make([]byte, maxUserID+1)
	for i := range long {
		long[i] = 'x'
	}
	d.Introspected(&w, 200, []byte(`{"role":"bot","id":"`+string(long)+`"}`), now)
	if w.User != w.Key || w.UserID != nil {
		t.Errorf("got %+v", w)
	}
}

func FuzzIntrospected(f *testing.F) {
	for _, seed := range []string{`{"role":"bot","id":"a"}`, `{"organizations":[{"role":["bot"]},7]}`, `{"scope":null}`, `[]`, ``, `{"id":{}}`} {
		f.Add([]byte(seed))
	}
	d := directory(f, asking("/self"))
	f.Fuzz(func(t *testing.T, body []byte) {
		d.cache.Reset()
		w := lookup(t, d, opaqueToken, now)
		d.Introspected(&w, 200, body, now)
		again := lookup(t, d, opaqueToken, now)
		if again.NeedsIntrospection || again.Role != w.Role || again.User != w.User || string(again.UserID) != string(w.UserID) || w.Role == Nobody {
			t.Fatalf("body %q: %+v, then %+v", body, w, again)
		}
	})
}
