// Package redisstore keeps the counts of request limits and message limits in a
// Redis or Valkey server that several gateways share. It knows nothing of HTTP
// and nothing of configuration files; what is decided is for limiter and
// loopguard to say, this package only has it decided where all gateways meet.
//
// # One script, one round trip, one clock
//
// Each decision is one script on the server: it reads the counts, decides and
// counts, and nobody comes in between. The scripts go by the server's clock
// (TIME), so a gateway whose clock is wrong changes nothing. Concurrent requests
// share round trips, because the client pipelines what is waiting.
//
// # Keys
//
//	gw{l}iADDRESS  gw{l}kKEY             times of admitted requests, a list
//	gw{l}IADDRESS  gw{l}KKEY             the same, of their candidates
//	gw{CONV}r                            newest replies in a conversation, and an operator's reset, a hash
//	gw{CONV}ckID   gw{CONV}ikID          confirmed messages, a sorted set of times
//	gw{CONV}csID   gw{CONV}isID          messages in flight of one token
//	gw{CONV}cbID   gw{CONV}ibID          the last refusal, unless something was admitted since
//	gw{CONV}Ck…    gw{CONV}Ik…           the same three, of the candidates
//
// All names are keyed digests in base64. Every key expires by itself, one window
// after the last that was counted in it.
//
// # Cluster
//
// An address and an API key are decided together, so they have to be in one slot:
// all request limits share the tag {l}. That costs no exactness and no round
// trip; its price is that one master decides all request limits. Messages spread
// over all masters by conversation. A batch for several conversations is reserved
// in each, and given back where another refuses.
//
// # Failure
//
// A call has a deadline. After a few failures in a row nothing more is asked
// (see breaker) until a probe in the background succeeds; meanwhile decisions are
// made as Config.OnFailure says. What was to be settled is kept until then.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// Op is a kind of call, for the count of those that failed.
type Op uint8

// The kinds of calls.
const (
	OpLimit Op = iota
	OpReserve
	OpSettle
	OpReply
	opCount
)

// String is the kind's name in metrics.
func (o Op) String() string { return [opCount]string{"limit", "reserve", "settle", "reply"}[o] }

// Deps are what the store falls back on and reports to.
type Deps struct {
	Limits   *limiter.Memory
	Messages *loopguard.Memory
	Logger   *slog.Logger
}

// Store is a limiter.Store and a loopguard.Store. It is safe for concurrent use.
type Store struct {
	cfg      Config
	option   rueidis.ClientOption
	limits   *limiter.Memory
	messages *loopguard.Memory
	logger   *slog.Logger
	client   atomic.Pointer[client] // nil until the server could be reached
	breakers [breakerCount]breaker
	down     atomic.Int32 // breakers that are open, and 1 while there is no client
	errors   [opCount]atomic.Uint64
	failure  atomic.Pointer[failure]
	names    names
	stop     context.CancelFunc
	stopped  context.Context
	working  sync.WaitGroup
	clock    func(now int64) (us, graceMS int64) // a test's; nil: the server's own
}

var (
	_ limiter.Store   = (*Store)(nil)
	_ loopguard.Store = (*Store)(nil)
)

// errOpen says that the server was not asked, because it did not answer before.
var errOpen = errors.New("the store is not asked until it answers again")

// Open makes a store. A server that can't be reached is no error: the store
// starts as degraded, and keeps trying. Errors mean that a file that the
// configuration names can't be used.
func Open(cfg Config, d Deps) (*Store, error) {
	option, err := clientOption(cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, option: option, limits: d.Limits, messages: d.Messages, logger: d.Logger, names: newNames()}
	s.stopped, s.stop = context.WithCancel(context.Background())
	if err := s.connect(); err != nil {
		s.degrade(err)
		s.working.Go(s.reconnect)
	}
	return s, nil
}

// Close gives up the connections. What is still owed is tried once more.
func (s *Store) Close() {
	s.stop()
	s.working.Wait()
	if c := s.client.Load(); c != nil {
		for i := range s.breakers {
			s.pay(c, &s.breakers[i])
		}
		c.Close()
	}
}

// Degraded reports whether the server, or a part of a Cluster, is not asked,
// because it did not answer.
func (s *Store) Degraded() bool { return s.down.Load() > 0 }

// Ready reports whether requests can be served: always, unless the store is
// degraded and the configuration then refuses.
func (s *Store) Ready() bool { return s.cfg.OnFailure != Deny || !s.Degraded() }

// Failed is how many calls of a kind, by its name, have failed.
func (s *Store) Failed(op string) uint64 {
	for o := range opCount {
		if o.String() == op {
			return s.errors[o].Load()
		}
	}
	return 0
}

// call runs a script. All keys are of one slot.
func (s *Store) call(op Op, script *rueidis.Lua, keys, args []string) ([]int64, error) {
	c := s.client.Load()
	if c == nil {
		return nil, errOpen
	}
	b := &s.breakers[c.part(keys[0])]
	if b.open.Load() {
		return nil, errOpen
	}
	answer, err := s.run(s.stopped, c, script, keys, args)
	if err == nil {
		b.succeed()
		return answer, nil
	}
	s.errors[op].Add(1)
	s.noteFailure(err)
	s.fail(b, keys[0], err)
	return nil, err
}

// run runs a script, whatever the breakers say.
func (s *Store) run(ctx context.Context, c *client, script *rueidis.Lua, keys, args []string) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	answer, err := script.Exec(ctx, c, keys, args).AsIntSlice()
	if err != nil {
		return nil, fmt.Errorf("cannot run a script: %w", err)
	}
	return answer, nil
}

// failure is why a call failed.
type failure struct {
	at    time.Time
	cause string
}

func (s *Store) noteFailure(err error) { s.failure.Store(&failure{time.Now(), err.Error()}) }

// LastFailure is why the last call that failed did, or why the server could not be
// reached; empty for none.
func (s *Store) LastFailure() (at time.Time, cause string) {
	if f := s.failure.Load(); f != nil {
		return f.at, f.cause
	}
	return time.Time{}, ""
}

// degrade counts a part that is not asked any more, and says so for the first.
func (s *Store) degrade(cause error) {
	s.noteFailure(cause)
	if s.down.Add(1) == 1 {
		s.logger.Warn("cannot reach the shared store", "on_failure", s.cfg.OnFailure, "replicas", s.cfg.Replicas, "error", cause)
	}
}

// recover counts a part that answers again, and says so for the last.
func (s *Store) recover() {
	if s.down.Add(-1) == 0 {
		s.logger.Info("the shared store answers again")
	}
}

// time is the time that a script goes by: zero stands for the server's clock.
func (s *Store) time(now int64) (us, graceMS int64) {
	if s.clock == nil {
		return 0, 1 // PEXPIRE and TIME round to different units
	}
	return s.clock(now)
}

// share is what one gateway may admit of a limit when it can't ask the others.
func share(limit, replicas int) int { return (limit + replicas - 1) / replicas }

// duration turns µs of a script into a time.Duration.
func duration(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
