package proxy

import (
	"fmt"
	"reflect"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// rules is one configuration, compiled: an immutable snapshot that a request
// holds on to from its first phase to its last. Counts live outside.
type rules struct {
	identity       identity.Config // what directory was made of
	limits         *limiter.Rules
	guard          *loopguard.Rules
	reader         *loopguard.Reader
	directory      *identity.Directory
	methods        methods
	trusted        trusted
	credential     []byte // name of the header with the API key
	webhookPath    string
	webhookSecret  []byte
	maxInFlight    int64    // 0: no limit
	upstreamHost   []byte   // what the API is called
	upstreamNames  [][]byte // that, and its addresses: what references in answers may point at
	preserveHost   bool
	maxGuardedBody int
	streamAbove    int64 // a larger body passes without being held in memory
	maxErrorBody   int
	timeoutStatus  int
}

// compile makes the snapshot of a configuration. names are those of the upstream,
// which only a restart changes. The directory of the snapshot before is used again
// where nothing in its block changed, because it knows whose the tokens are.
func compile(cfg Config, h *digest.Hasher, names [][]byte, before *rules) (*rules, error) {
	limits, err := limiter.Compile(cfg.Limits, h)
	if err != nil {
		return nil, fmt.Errorf("cannot use limits: %w", err)
	}
	trusted, err := parseTrusted(cfg.Listen.TrustedProxies)
	if err != nil {
		return nil, err
	}
	directory, err := directoryOf(cfg.Identity, h, before)
	if err != nil {
		return nil, err
	}
	return &rules{
		identity: cfg.Identity,
		limits:   limits, guard: loopguard.Compile(cfg.LoopGuard), reader: loopguard.NewReader(cfg.LoopGuard, h),
		directory: directory, methods: compileMethods(cfg.Methods), trusted: trusted,
		credential:  []byte(cfg.Identity.Header),
		webhookPath: cfg.Webhook.Path, webhookSecret: []byte(cfg.Webhook.Secret.Reveal()),
		maxInFlight:  int64(cfg.Listen.MaxRequestsInFlight),
		upstreamHost: names[0], upstreamNames: names, preserveHost: cfg.Upstream.PreserveHost,
		maxGuardedBody: int(cfg.LoopGuard.MaxBodyBytes), streamAbove: int64(cfg.Upstream.StreamAbove), maxErrorBody: int(cfg.Errors.MaxBodyBytes),
		timeoutStatus: cfg.Errors.TimeoutStatus,
	}, nil
}

func directoryOf(cfg identity.Config, h *digest.Hasher, before *rules) (*identity.Directory, error) {
	if before != nil && reflect.DeepEqual(cfg, before.identity) {
		return before.directory, nil
	}
	directory, err := identity.New(cfg, h)
	if err != nil {
		return nil, fmt.Errorf("cannot use identity: %w", err)
	}
	return directory, nil
}
