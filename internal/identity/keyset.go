package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

var (
	errNoKeys     = errors.New("no key set has been fetched yet")
	errUnknownKey = errors.New("the key set has no such key")
)

const (
	refreshEvery = 15 * time.Minute // while fetches succeed
	retryEvery   = 10 * time.Second // after one failed
	minSpacing   = 10 * time.Second // between a fetch and one that an unknown key asks for
	fetchTimeout = 10 * time.Second
	maxAwait     = 2 * time.Second // that one request waits for a fetch
)

// keySet holds the keys that a URL publishes, and keeps them fresh in one
// goroutine. However many tokens name unknown keys, the URL is asked once in
// minSpacing.
type keySet struct {
	fetch   func(context.Context) ([]byte, error)
	current atomic.Pointer[publishedKeys] // nil until the first success
	epoch   atomic.Uint32                 // counts the changes of current

	mu       sync.Mutex
	err      error         // of the last fetch
	finished time.Time     // when the last fetch ended
	running  chan struct{} // closed when the fetch that runs or was asked for has ended; nil when there is none

	wake   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
}

type publishedKeys struct {
	text []byte
	find jwt.Keyfunc
}

func newKeySet(fetch func(context.Context) ([]byte, error)) *keySet {
	ctx, cancel := context.WithCancel(context.Background())
	s := &keySet{
		fetch:   fetch,
		running: make(chan struct{}),
		wake:    make(chan struct{}, 1),
		cancel:  cancel,
		ended:   make(chan struct{}),
	}
	go s.keepFresh(ctx)
	return s
}

func (s *keySet) keepFresh(ctx context.Context) {
	defer close(s.ended)
	for {
		wait := refreshEvery
		if s.refresh(ctx) != nil {
			wait = retryEvery
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// refresh fetches the keys once, and keeps those it has when that fails.
func (s *keySet) refresh(ctx context.Context) error {
	s.mu.Lock()
	if s.running == nil {
		s.running = make(chan struct{})
	}
	s.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	text, err := s.fetch(ctx)
	if err == nil {
		err = s.replace(text)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.finished = err, time.Now()
	close(s.running)
	s.running = nil
	return err
}

func (s *keySet) replace(text []byte) error {
	if old := s.current.Load(); old != nil && bytes.Equal(old.text, text) {
		return nil
	}
	find, err := parseKeySet(text)
	if err != nil {
		return err
	}
	s.current.Store(&publishedKeys{text: text, find: find})
	s.epoch.Add(1)
	return nil
}

// key is the jwt.Keyfunc of the newest keys.
func (s *keySet) key(t *jwt.Token) (any, error) {
	keys := s.current.Load()
	if keys == nil {
		return nil, errNoKeys
	}
	key, err := keys.find(t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnknownKey, err)
	}
	return key, nil
}

// isBehind reports whether newer keys may verify a token that these could not.
func isBehind(err error) bool { return errors.Is(err, errUnknownKey) || errors.Is(err, errNoKeys) }

// awaitNewer waits for a fetch that runs, or asks for one and waits for it. It
// reports whether one ended; it does not even wait when the last was just now. The
// keys of that one are newer all the same when they were not yet there at epoch
// seen.
func (s *keySet) awaitNewer(seen uint32) bool {
	running := s.askForNewer()
	if running == nil {
		return s.epoch.Load() != seen
	}
	timer := time.NewTimer(maxAwait)
	defer timer.Stop()
	select {
	case <-running:
		return true
	case <-timer.C:
		return false
	}
}

func (s *keySet) askForNewer() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil && time.Since(s.finished) >= minSpacing {
		s.running = make(chan struct{})
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return s.running
}

func (s *keySet) lastError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *keySet) close() {
	s.cancel()
	<-s.ended
}

// parseKeySet reads a JSON Web Key Set. Keys for other uses than signatures by
// RS256 and ES256, shared secrets above all, are left out.
func parseKeySet(text []byte) (jwt.Keyfunc, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("cannot read the key set: %w", err)
	}
	usable := set.Keys[:0]
	for _, key := range set.Keys {
		if isSignatureKey(key) {
			usable = append(usable, key)
		}
	}
	if len(usable) == 0 {
		return nil, errors.New("cannot use the key set: it holds no RSA or EC key for signatures")
	}
	set.Keys = usable
	filtered, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key set: %w", err)
	}
	keys, err := keyfunc.NewJWKSetJSON(filtered)
	if err != nil {
		return nil, fmt.Errorf("cannot use the key set: %w", err)
	}
	return keys.Keyfunc, nil
}

func isSignatureKey(raw json.RawMessage) bool {
	var key struct {
		Type string `json:"kty"`
		Use  string `json:"use"`
	}
	if json.Unmarshal(raw, &key) != nil || (key.Type != "RSA" && key.Type != "EC") || (key.Use != "" && key.Use != "sig") {
		return false
	}
	_, err := keyfunc.NewJWKJSON(raw) // one unreadable key must not cost the others
	return err == nil
}
