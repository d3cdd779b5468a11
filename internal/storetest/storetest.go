// Package storetest is the promise that every store keeps, as tests: what the
// request limits and the message limits count, when they refuse, and what is left
// afterwards. A store passes it as it is, whether its counts are in this process
// or in a server that many gateways share.
//
// Times are given, so that an hour passes at once. A store that goes by a clock
// of its own has to be opened in such a way that it takes the given one instead.
package storetest

import (
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// Epoch is the time at which every test begins, ns since 1970: a round number of
// seconds, as the wall clock's are when the tests are written.
const Epoch = int64(1_790_000_000) * int64(time.Second)

// precision is how exactly a store has to know the times of windows of minutes
// and more. Windows of 2 s and less are exact.
const precision = 5 * time.Microsecond

// LimitsOpener opens an empty store. What it takes up is freed by t.Cleanup.
type LimitsOpener func(t *testing.T) limiter.Store

// MessagesOpener opens an empty store. What it takes up is freed by t.Cleanup.
type MessagesOpener func(t *testing.T) loopguard.Store

var hasher = digest.NewHasher("storetest")

// id is the digest of a name.
func id(name string) digest.ID { return hasher.Sum([]byte(name)) }

// scenario is one promise of a group: its name, and the test of it with an empty
// store.
type scenario[S any] struct {
	name string
	test func(t *testing.T, store S)
}

func runAll[S any](t *testing.T, open func(t *testing.T) S, scenarios []scenario[S]) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) { s.test(t, open(t)) })
	}
}
