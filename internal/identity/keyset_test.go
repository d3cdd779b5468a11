package identity

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// publishing returns the URL of a key set, and how often it was asked for.
func publishing(t *testing.T, keys []byte) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write(keys)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/jwks.json", asked
}

func TestVerificationByAPublishedKeySet(t *testing.T) {
	hs, rs, es := jwt.SigningMethodHS256, jwt.SigningMethodRS256, jwt.SigningMethodES256
	url, asked := publishing(t, jwksOf(
		jwkOf("rsa", &rsaKey().PublicKey),
		jwkOf("ec", &ecKey().PublicKey),
		jwkOf("shared", []byte(secret)),
		jwk{"kty": "OKP", "kid": "odd", "crv": "Ed448", "x": "AAAA"},
		jwk{"kty": "EC", "kid": "broken", "crv": "P-256", "x": "?"},
	))
	d := verifying(t, JWT{JWKSURL: url})
	bot := claimsOf(ada, "agent bot", now+60*second)
	f := func(token string, want Failure) {
		t.Helper()
		judge(t, d, token, now, want)
	}
	f(signedBy(t, rs, rsaKey(), "rsa", bot), None) // waits for the first fetch
	f(signedBy(t, es, ecKey(), "ec", bot), None)
	f(signedBy(t, es, ecKey(), "", bot), None)
	f(signedBy(t, rs, rsaKey(), "", bot), None)
	f(signedBy(t, rs, rsaKey(), "ec", bot), BadSignature)
	f(signedBy(t, hs, []byte(secret), "shared", bot), BadSignature)
	f(signedBy(t, hs, []byte(secret), "", bot), BadSignature)
	f(signedBy(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "rsa", bot), BadSignature)
	f(signedBy(t, rs, rsaKey(), "unknown", bot), Invalid)
	f(opaqueToken, None)
	judge(t, d, signedBy(t, rs, rsaKey(), "rsa", bot), now+60*second, Expired)
	if n := asked.Load(); n != 1 {
		t.Errorf("the key set was fetched %d times, want once", n)
	}
	if err := d.KeySetError(); err != nil {
		t.Error(err)
	}
}

// A fetch may end between a look at the keys and the wish for newer ones: these
// are there, and no other fetch is needed.
func TestKeysThatCameInTheMeantimeAreNewer(t *testing.T) {
	s := &keySet{finished: time.Now()}
	seen := s.epoch.Load()
	if s.awaitNewer(seen) {
		t.Error("nothing came, and yet it is newer")
	}
	s.epoch.Add(1)
	if !s.awaitNewer(seen) {
		t.Error("what came is not newer")
	}
}

func TestKeySetThatCannotBeUsed(t *testing.T) {
	f := func(handler http.HandlerFunc, want string) {
		t.Helper()
		server := httptest.NewServer(handler)
		defer server.Close()
		d := verifying(t, JWT{JWKSURL: server.URL})
		judge(t, d, signedBy(t, jwt.SigningMethodRS256, rsaKey(), "rsa", claimsOf(ada, "bot", 0)), now, Unavailable)
		if err := d.KeySetError(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		judge(t, d, opaqueToken, now, None)
		d.Close()
	}
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
	}
	f(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, "answered with status 418")
	f(answer("<html>"), "cannot read the key set: invalid character")
	f(answer(`{"keys":7}`), "cannot read the key set: json: cannot unmarshal number")
	f(answer(`{"keys":[]}`), "it holds no RSA or EC key for signatures")
	f(answer(string(jwksOf(jwkOf("shared", []byte(secret))))), "it holds no RSA or EC key for signatures")
	f(answer(strings.Repeat(" ", maxKeySet+1)), "answered with more than 1048576 bytes")
	f(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
	}, "unexpected EOF")
	f(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, "the redirect is not followed")
	f(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "cannot fetch the key set: Get")
}

func TestRedirectFromHTTPSToHTTPIsNotFollowed(t *testing.T) {
	f := func(from, to string, want bool) {
		t.Helper()
		err := checkRedirect(httptest.NewRequest(http.MethodGet, to, nil), []*http.Request{httptest.NewRequest(http.MethodGet, from, nil)})
		if (err == nil) != want {
			t.Errorf("%s to %s: %v", from, to, err)
		}
	}
	f("https://a/", "https://b/", true)
	f("http://a/", "https://b/", true)
	f("http://a/", "http://b/", true)
	f("https://a/", "http://b/", false)
}

func TestFetchCannotAskForNonsense(t *testing.T) {
	if _, err := fetchFrom("http://[::1")(context.Background()); err == nil {
		t.Error("no error")
	}
}

// source is a publisher that lives inside a synctest bubble.
type source struct {
	takes time.Duration

	mu    sync.Mutex
	text  []byte
	err   error
	asked int
}

func (s *source) fetch(ctx context.Context) ([]byte, error) {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.text, cmp.Or(ctx.Err(), s.err)
}

func (s *source) set(text []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text, s.err = text, err
}

// wantAsked expects the source to have been asked so many times by now.
func (s *source) wantAsked(t *testing.T, want int) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != want {
		t.Errorf("fetched %d times, want %d", s.asked, want)
	}
}

// pass lets time pass inside a bubble.
func pass(d time.Duration) {
	time.Sleep(d)
}

// inBubble runs check with a Directory whose keys come from a source, in fake
// time that starts as the first fetch does.
func inBubble(t *testing.T, s *source, check func(t *testing.T, d *Directory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := directory(t, nil)
		keys := newKeySet(s.fetch)
		d.verifier = (&JWT{}).verifier(keys.key, "RS256", "ES256")
		d.verifier.keys = keys
		check(t, d)
		d.Close()
	})
}

func TestKeySetIsKeptFresh(t *testing.T) {
	keys := jwksOf(jwkOf("rsa", &rsaKey().PublicKey))
	s := &source{text: keys}
	inBubble(t, s, func(t *testing.T, d *Directory) {
		f := func(after time.Duration, asked int) {
			t.Helper()
			pass(after)
			s.wantAsked(t, asked)
		}
		f(0, 1)
		f(refreshEvery-1, 1)
		f(1, 2)
		s.set(nil, errors.New("gone"))
		f(refreshEvery, 3)
		f(retryEvery, 4)
		if err := d.KeySetError(); err == nil || err.Error() != "gone" {
			t.Errorf("got %v", err)
		}
		token := signedBy(t, jwt.SigningMethodRS256, rsaKey(), "rsa", claimsOf(ada, "bot", 0))
		judge(t, d, token, now, None) // by the keys of before
		s.set(keys, nil)
		f(retryEvery, 5)
		f(refreshEvery-1, 5)
		if d.KeySetError() != nil {
			t.Error("the error outlived the next success")
		}
	})
}

func TestUnknownKeyFetchesTheNewSet(t *testing.T) {
	s := &source{text: jwksOf(jwkOf("old", &rsaKey().PublicKey)), takes: time.Second}
	old := signedBy(t, jwt.SigningMethodRS256, rsaKey(), "old", claimsOf(ada, "bot", 0))
	young := signedBy(t, jwt.SigningMethodES256, ecKey(), "young", claimsOf(ada, "bot", 0))
	inBubble(t, s, func(t *testing.T, d *Directory) {
		judge(t, d, old, now, None)
		s.set(jwksOf(jwkOf("young", &ecKey().PublicKey)), nil)
		judge(t, d, young, now, Invalid) // the last fetch was just now
		pass(minSpacing)
		judge(t, d, young, now+10*second, None)
		s.wantAsked(t, 2)
		judge(t, d, old, now+10*second, Invalid) // its key was taken back, so the cache is not believed
	})
}

// TestFloodOfUnknownKeysFetchesOnce: strangers choose what kid they name.
func TestFloodOfUnknownKeysFetchesOnce(t *testing.T) {
	s := &source{text: jwksOf(jwkOf("rsa", &rsaKey().PublicKey)), takes: time.Second}
	var tokens []string
	for i := range 50 {
		tokens = append(tokens, signedBy(t, jwt.SigningMethodES256, ecKey(), "x", jwt.MapClaims{"i": i}))
	}
	inBubble(t, s, func(t *testing.T, d *Directory) {
		pass(time.Minute)
		start := time.Now()
		var all sync.WaitGroup
		for _, token := range tokens {
			all.Go(func() { judge(t, d, token, now, Invalid) })
		}
		all.Wait()
		s.wantAsked(t, 2)
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestSlowKeySetHoldsARequestTwoSeconds(t *testing.T) {
	s := &source{text: jwksOf(jwkOf("rsa", &rsaKey().PublicKey)), takes: 5 * time.Second}
	token := signedBy(t, jwt.SigningMethodRS256, rsaKey(), "rsa", claimsOf(ada, "bot", 0))
	inBubble(t, s, func(t *testing.T, d *Directory) {
		start := time.Now()
		_, failure := d.Lookup([]byte("Bearer "+token), now, new(Scratch))
		if took := time.Since(start); failure != Unavailable || took != maxAwait {
			t.Errorf("%q after %s", failure, took)
		}
		pass(5 * time.Second)
		judge(t, d, token, now, None) // Unavailable is never remembered
	})
}

func TestHangingFetchIsGivenUp(t *testing.T) {
	s := &source{takes: time.Hour}
	inBubble(t, s, func(t *testing.T, d *Directory) {
		pass(fetchTimeout)
		synctest.Wait()
		if err := d.KeySetError(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		pass(retryEvery + fetchTimeout)
		s.wantAsked(t, 2)
	})
}

func TestCloseEndsAFetch(t *testing.T) {
	s := &source{takes: time.Hour}
	inBubble(t, s, func(t *testing.T, d *Directory) {
		start := time.Now()
		d.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("took %s", took)
		}
	})
}
