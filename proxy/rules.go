package proxy

import (
	"fmt"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/internal/upstream"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// rules is one configuration, compiled: an immutable snapshot that a request
// holds on to from its first phase to its last. Counts live outside.
type rules struct {
	limits         *limiter.Rules
	guard          *loopguard.Rules
	reader         *loopguard.Reader
	directory      *identity.Directory
	methods        methods
	trusted        trusted
	credential     []byte // name of the header with the API key
	webhookPath    string
	webhookSecret  []byte
	upstreamHost   []byte
	preserveHost   bool
	maxGuardedBody int
	maxErrorBody   int
	timeoutStatus  int
}

func compile(cfg Config, h *digest.Hasher, client *upstream.Client) (*rules, error) {
	limits, err := limiter.Compile(cfg.Limits, h)
	if err != nil {
		return nil, fmt.Errorf("cannot use limits: %w", err)
	}
	directory, err := identity.New(cfg.Identity, h)
	if err != nil {
		return nil, fmt.Errorf("cannot use identity: %w", err)
	}
	trusted, err := parseTrusted(cfg.Listen.TrustedProxies)
	if err != nil {
		return nil, err
	}
	return &rules{
		limits: limits, guard: loopguard.Compile(cfg.LoopGuard), reader: loopguard.NewReader(cfg.LoopGuard, h),
		directory: directory, methods: compileMethods(cfg.Methods), trusted: trusted,
		credential:  []byte(cfg.Identity.Header),
		webhookPath: cfg.Webhook.Path, webhookSecret: []byte(cfg.Webhook.Secret.Reveal()),
		upstreamHost: []byte(client.Host()), preserveHost: cfg.Upstream.PreserveHost,
		maxGuardedBody: int(cfg.LoopGuard.MaxBodyBytes), maxErrorBody: int(cfg.Errors.MaxBodyBytes),
		timeoutStatus: cfg.Errors.TimeoutStatus,
	}, nil
}
