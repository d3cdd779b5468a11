// Package identity answers one question about a request: whose is it? It turns
// the value of the Authorization header into a key, a user and a role, Human
// or Bot, and, where the configuration says so, verifies JSON Web Tokens.
//
// The order of authority is: the configuration, which names keys and users
// outright; the upstream's own answer about a token (introspection); the claims
// of the token, read without verifying them. Believing unverified claims is
// safe here because those who ask keep only what the upstream confirmed.
//
// The room knows nothing of HTTP servers, limits or files of configuration, and
// it sends nothing to the upstream: it says when it wants to be told about a
// token, and is told. No token, secret or user id is ever in one of its errors.
//
// # Why fastcache, and for what
//
// What was read of a token is kept in a fastcache of 32 MiB, under the token's
// keyed digest. A fastcache is right for exactly this: it is written once per
// token and read on every request, it costs the garbage collector nothing, and
// what it loses is simply read again. For it does lose: it has no expiry, so
// each entry carries its own times and every read checks them; it drops entries
// without a word when their bucket's ring of 64 KiB wraps, the oldest writing
// first; and it has no atomic read-modify-write. So it must never hold a count:
// there, a loss or a lost update would be a limit that forgets. In front of it is a
// table of single cache lines for most of what it holds: see near.
package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/fastcache"

	"github.com/chatshipper/gateway/internal/digest"
)

// Role says what kind of user a request is for.
type Role uint8

// Nobody sends no key, or one that was refused. The message rules hold for a
// Bot; what a Human writes is a reply.
const (
	Nobody Role = iota
	Human
	Bot
)

var roleNames = [...]string{"nobody", "human", "bot"}

// String is the word that the configuration and the access log use.
func (r Role) String() string { return roleNames[r] }

// Who is whose request it is. The zero value is nobody's.
type Who struct {
	Key    digest.ID // keyed digest of the token; zero when no key came
	User   digest.ID // keyed digest of the user's id, or Key where no id is known; zero for a key that was refused
	SHA256 [32]byte  // of the token: what the configuration names keys by; for sure only where Scratch.WithSHA256 asked for it
	// UserID is the user's id in clear, at most 256 bytes, nil when it is not
	// known. It lives in the Scratch, until that is used again. Never log it.
	UserID             []byte
	Role               Role
	Verified           bool // a configured verification accepted the token, its user's id included
	NeedsIntrospection bool // the upstream should be asked: see IntrospectionPath
}

// Failure says why a request is refused before any rule.
type Failure uint8

// Missing: no key came and one is required. Expired, BadSignature and Invalid:
// the configured verification refused the token. Unavailable: it could not be
// verified, because the key set has never been fetched; this is no fault of the
// client's, who should try again.
const (
	None Failure = iota
	Missing
	Expired
	BadSignature
	Invalid
	Unavailable
)

var failureTexts = [...]string{
	"", "an API key is required", "jwt expired", "invalid signature", "invalid token",
	"the token can't be verified at the moment",
}

// String is a sentence for the client. ChatShipper's SDK refreshes its token on
// the texts of Expired, BadSignature and Invalid.
func (f Failure) String() string { return failureTexts[f] }

const (
	// cacheBytes is also the least that a fastcache takes; it holds about
	// 280,000 tokens.
	cacheBytes = 32 << 20

	// failureTTL bounds how long a refused token, or the upstream's failure to
	// answer about one, is remembered: long enough for a flood of one bad token
	// to cost nothing, short enough for nobody to notice.
	failureTTL = int64(5 * time.Second)

	forever = math.MaxInt64
)

// named is what the configuration says about one key.
type named struct {
	user string
	role Role
}

// Directory knows whose each token is. Its methods may be called at once from
// many goroutines.
type Directory struct {
	hasher   *digest.Hasher
	tokens   digest.ID // keeps digests of tokens apart from digests of anything else
	users    map[string]Role
	keys     map[[sha256.Size]byte]named
	path     string // of introspection; empty when it is off
	ttl      int64  // of introspection, in ns
	opaque   Role
	required bool
	verifier *verifier // nil when tokens are not verified
	cache    *fastcache.Cache
	near     *near
	closed   atomic.Bool
}

// New builds a Directory from a configuration and reads the files that it
// names. With a jwks_url it starts to fetch the key set in the background,
// without waiting for it. Close releases it.
func New(cfg Config, h *digest.Hasher) (*Directory, error) {
	if err := firstMistake(&cfg); err != nil {
		return nil, err
	}
	v, err := newVerifier(&cfg.JWT)
	if err != nil {
		return nil, err
	}
	d := &Directory{
		hasher:   h,
		tokens:   h.Sum([]byte("bearer token")),
		path:     cfg.Introspection.Path,
		ttl:      int64(cfg.Introspection.TTL),
		opaque:   roleNamed(cfg.OpaqueTokens),
		required: cfg.Required,
		verifier: v,
		cache:    fastcache.New(cacheBytes),
		near:     newNear(),
	}
	d.compile(&cfg)
	return d, nil
}

// compile turns the lists of a valid configuration into tables.
func (d *Directory) compile(cfg *Config) {
	d.users = make(map[string]Role, len(cfg.Users))
	for _, u := range cfg.Users {
		d.users[u.ID] = roleNamed(u.Role)
	}
	d.keys = make(map[[sha256.Size]byte]named, len(cfg.Keys))
	for _, k := range cfg.Keys {
		var sum [sha256.Size]byte
		_, _ = hex.Decode(sum[:], []byte(k.SHA256)) // Validate has checked it
		d.keys[sum] = named{user: k.User, role: roleNamed(k.Role)}
	}
}

// Close stops what runs in the background and gives the cache's memory back. A
// Lookup after it, or during it, is still answered rightly, only more slowly.
func (d *Directory) Close() {
	if d.closed.Swap(true) {
		return
	}
	d.verifier.close()
	d.cache.Reset()
}

// KeySetError tells why the last fetch of the key set failed; nil when it did
// not, or when there is no jwks_url. The keys of the fetch before stay in use.
func (d *Directory) KeySetError() error { return d.verifier.keySetError() }

// Scratch is the memory that one request's Lookup works in. Use it again for
// the next request, never for two at once.
type Scratch struct {
	// Waiter is told before a Lookup verifies a token, which takes time and may
	// have to wait for keys; nil: nobody minds.
	Waiter interface{ Leave() }
	// WithSHA256 asks for Who.SHA256, which costs a slower look-up.
	WithSHA256 bool

	key   [16]byte
	value []byte
}

// Lookup tells whose request it is by the value of its Authorization header.
// now is the wall clock in ns since 1970. When it returns a Failure, only the
// key and its SHA-256 are known.
//
// A token that was seen before costs a digest and a look into the cache, and no
// allocation (BenchmarkLookup). With a jwks_url, a token that needs keys which
// are being fetched waits for them, 2 s at most.
func (d *Directory) Lookup(authorization []byte, now int64, scratch *Scratch) (Who, Failure) {
	return d.Who(d.Meet(authorization), now, scratch)
}

// Caller is whoever sent an Authorization header, before anybody looked who that is.
type Caller struct {
	Key digest.ID // zero without an API key

	authorization, token []byte
}

// Meet finds the key of a header. What Who will look at is on its way then: the more
// is done in between, the less Who waits. The Caller is valid as long as the header.
func (d *Directory) Meet(authorization []byte) Caller {
	c := Caller{authorization: authorization, token: Credential(authorization)}
	if c.token != nil {
		c.Key = d.hasher.Sum(c.token).Join(d.tokens)
		d.near.ahead(c.Key)
	}
	return c
}

// Who is Lookup of somebody who was met.
func (d *Directory) Who(c Caller, now int64, scratch *Scratch) (w Who, failure Failure) {
	if c.token == nil {
		if d.required {
			return Who{}, Missing
		}
		return Who{}, None
	}
	if epoch := d.verifier.epoch(); scratch.WithSHA256 || !d.near.recall(&w, c.Key, epoch, now, scratch) {
		e := entry{who: Who{Key: c.Key}}
		d.find(&e, c.token, epoch, now, scratch)
		w, failure = e.who, e.failure
		if failure == None && w.Verified && now >= e.expires {
			failure = Expired
		}
	}
	if d.required && !hasBearer(c.authorization) {
		failure = Missing // Basic and its like are counted, but are no API key
	}
	if failure != None {
		return Who{Key: c.Key, SHA256: w.SHA256}, failure
	}
	return w, None
}

// find fills e with what the cache knows of a token, whose key is e's, or reads the
// token.
func (d *Directory) find(e *entry, token []byte, epoch uint32, now int64, scratch *Scratch) {
	key := e.who.Key
	if d.recall(e, key, scratch) && now < e.until && e.epoch == epoch {
		d.near.keep(e)
		return
	}
	if d.verifier != nil && scratch.Waiter != nil {
		scratch.Waiter.Leave()
	}
	*e = d.read(key, token, now)
	d.remember(e, scratch)
}

// read finds out about a token that the cache knows nothing of.
func (d *Directory) read(key digest.ID, token []byte, now int64) entry {
	e := entry{until: forever, expires: forever, epoch: d.verifier.epoch()}
	e.who = Who{Key: key, User: key, SHA256: sha256.Sum256(token), Role: d.opaque}
	signed := isJWT(token)
	if signed && d.verifier != nil {
		if e.failure = d.verifier.verify(string(token), now); e.failure != None {
			e.until = now + failureTTL
			return e
		}
		e.who.Verified = true
	}
	if signed {
		c := readClaims(token)
		e.who.Role, e.expires = c.role(), c.expires
		d.setUser(&e.who, c.user)
	}
	e.who.NeedsIntrospection = !d.named(&e.who) && d.mayAsk(&e.who)
	return e
}

// named applies what the configuration says about a key or a user, and reports
// whether it says anything.
func (d *Directory) named(w *Who) bool {
	if n, ok := d.keys[w.SHA256]; ok {
		w.Role = n.role
		d.setUser(w, n.user)
		return true
	}
	role, ok := d.users[string(w.UserID)]
	if ok {
		w.Role = role
	}
	return ok
}

// RoleOf tells what a user is who is known by an id and by words of a role or
// scope, and not by a token: the configuration first, then the highest word.
// Nobody means that neither explains it.
func (d *Directory) RoleOf(user, words string) Role {
	if role, ok := d.users[user]; ok {
		return role
	}
	return highestIn(words).role()
}

// setUser notes a user's id, unless it is none.
func (d *Directory) setUser(w *Who, id string) {
	if id == "" || len(id) > maxUserID {
		return
	}
	w.UserID = []byte(id)
	w.User = d.hasher.Sum(w.UserID)
}

// firstMistake returns the first mistake that Validate reports.
func firstMistake(cfg *Config) (err error) {
	cfg.Validate(func(path, problem string) {
		if err == nil {
			err = fmt.Errorf("cannot use identity.%s: %s", path, problem)
		}
	})
	return err
}

// roleNamed is the role that a word of the configuration stands for.
func roleNamed(word string) Role {
	for r, name := range roleNames {
		if word == name {
			return Role(r)
		}
	}
	return Nobody
}
