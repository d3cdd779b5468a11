package limiter

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/unit"
)

// Rules is a configuration, compiled. It is immutable, and safe to share.
type Rules struct {
	ip, key  Limit
	prefix   int
	byUser   bool
	hasher   *digest.Hasher
	byKey    map[[32]byte]Limit
	byID     map[string]Limit
	networks []network // most specific first
	exempt   []netip.Prefix
	paths    []string // exact
	prefixes []string // everything below
}

type network struct {
	prefix netip.Prefix
	limit  Limit
}

// Compile turns a validated Config into Rules. User ids are known by h's digests
// only. Errors name what can't be read.
func Compile(cfg Config, h *digest.Hasher) (*Rules, error) {
	r := &Rules{
		prefix: cfg.PerIP.IPv6Prefix, byUser: cfg.PerKey.By == "user", hasher: h,
		byKey: make(map[[32]byte]Limit), byID: make(map[string]Limit),
	}
	if cfg.PerIP.Mode != unit.Off {
		r.ip = Limit{cfg.PerIP.Requests, cfg.PerIP.Window, cfg.PerIP.Mode == unit.Shadow, cfg.PerIP.Shadow.limit(cfg.PerIP.Window)}
	}
	if cfg.PerKey.Mode != unit.Off {
		r.key = Limit{cfg.PerKey.Requests, cfg.PerKey.Window, cfg.PerKey.Mode == unit.Shadow, cfg.PerKey.Shadow.limit(cfg.PerKey.Window)}
	}
	for i := range cfg.Overrides {
		if err := r.override(&cfg.Overrides[i]); err != nil {
			return nil, fmt.Errorf("cannot use overrides[%d]: %w", i, err)
		}
	}
	slices.SortStableFunc(r.networks, func(a, b network) int { return b.prefix.Bits() - a.prefix.Bits() })
	for i := range cfg.Exempt {
		if err := r.exemption(&cfg.Exempt[i]); err != nil {
			return nil, fmt.Errorf("cannot use exempt[%d]: %w", i, err)
		}
	}
	return r, nil
}

// General is the limit of a rule for all who have none of their own.
func (r *Rules) General(rule Rule) Limit { return [ruleCount]Limit{r.ip, r.key}[rule] }

func (r *Rules) override(o *Override) error {
	limit := Limit{Requests: o.Requests, Window: o.Window}
	switch {
	case o.KeySHA256 != "":
		var sum [32]byte
		if n, err := hex.Decode(sum[:], []byte(o.KeySHA256)); err != nil || n != len(sum) || len(o.KeySHA256) != 64 {
			return fmt.Errorf("cannot read key_sha256: expected 64 hex digits")
		}
		limit.Shadow = r.key.Shadow
		r.byKey[sum] = limit
	case o.User != "":
		limit.Shadow = r.key.Shadow
		r.byID[o.User] = limit
	default:
		prefix, err := parseNetwork(o.CIDR)
		if err != nil {
			return err
		}
		limit.Shadow = r.ip.Shadow
		r.networks = append(r.networks, network{prefix, limit})
	}
	return nil
}

func (r *Rules) exemption(e *Exempt) error {
	if e.CIDR != "" {
		prefix, err := parseNetwork(e.CIDR)
		r.exempt = append(r.exempt, prefix)
		return err
	}
	if below, ok := strings.CutSuffix(e.Path, "*"); ok {
		r.prefixes = append(r.prefixes, below)
	} else {
		r.paths = append(r.paths, e.Path)
	}
	return nil
}

// parseNetwork reads a network or a single address.
func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("cannot read network %q", s)
	}
	return p.Masked(), nil
}

// IP is what the per-IP rule counts an address by: an IPv4 address by itself
// (IPv4-mapped ones too), an IPv6 address by its prefix. Its digest is the one by
// which logs name the client. The most specific
// override of a network applies, and counts each address of the network alone.
func (r *Rules) IP(addr netip.Addr) Hit {
	if r.ip.Requests == 0 || !addr.IsValid() {
		return Hit{}
	}
	addr = plain(addr)
	h := Hit{Limit: r.ip}
	for i := range r.networks {
		if r.networks[i].prefix.Contains(addr) {
			h.Limit = r.networks[i].limit
			break
		}
	}
	h.ID = r.ClientID(addr)
	return h
}

// Recent remembers what IP returned last, for the next request of a connection. Its
// zero value is ready.
type Recent struct {
	rules *Rules
	addr  netip.Addr
	hit   Hit
}

// IPAgain is IP, which it need not ask when recent knows.
func (r *Rules) IPAgain(addr netip.Addr, recent *Recent) Hit {
	if recent.rules != r || recent.addr != addr {
		*recent = Recent{r, addr, r.IP(addr)}
	}
	return recent.hit
}

// ClientIDAgain is ClientID, which it need not work out when recent knows.
func (r *Rules) ClientIDAgain(addr netip.Addr, recent *Recent) digest.ID {
	if recent.rules == r && recent.addr == addr && !recent.hit.ID.IsZero() {
		return recent.hit.ID
	}
	return r.ClientID(addr)
}

// ClientID is the digest by which logs name a client, whether it is limited or not.
func (r *Rules) ClientID(addr netip.Addr) digest.ID { return r.hasher.Sum(r.Client(addr).AsSlice()) }

// plain is an address as it is compared: IPv4-mapped ones as IPv4, without zone.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// Client is the address by which the per-IP rule knows a client: its own, or
// the first of its IPv6 network.
func (r *Rules) Client(addr netip.Addr) netip.Addr {
	addr = plain(addr)
	if addr.Is6() {
		p, _ := addr.Prefix(r.prefix) // the prefix length was validated
		addr = p.Addr()
	}
	return addr
}

// Digested is what the per-IP rule counts an address by of which only a digest
// is known: no override and no exemption applies.
func (r *Rules) Digested(client digest.ID) Hit {
	if r.ip.Requests == 0 || client.IsZero() {
		return Hit{}
	}
	return Hit{ID: client, Limit: r.ip}
}

// Key is what the per-key rule counts an API key by. id is the key's digest, sha
// its SHA-256, by which overrides name it; user is the caller's id, or empty. An
// override for the key goes before one for the user. With `by: user` all keys of
// a verified user count together; without verification anyone could spend
// another's allowance.
func (r *Rules) Key(id digest.ID, sha *[32]byte, user []byte, verified bool) Hit {
	if r.key.Requests == 0 {
		return Hit{}
	}
	h := Hit{ID: id, Limit: r.key}
	if limit, ok := r.byID[string(user)]; ok && len(r.byID) > 0 {
		h.Limit = limit
	}
	if len(r.byKey) > 0 {
		if limit, ok := r.byKey[*sha]; ok {
			h.Limit = limit
		}
	}
	if r.byUser && verified && len(user) > 0 {
		h.ID = r.hasher.Sum(user)
	}
	return h
}

// NamesKeys reports whether an override names an API key by its SHA-256. Only then
// does Key look at that.
func (r *Rules) NamesKeys() bool { return len(r.byKey) > 0 }

// ExemptAddr reports whether requests of an address are never limited.
func (r *Rules) ExemptAddr(addr netip.Addr) bool {
	for _, p := range r.exempt {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// ExemptPath reports whether requests for a path are never limited.
func (r *Rules) ExemptPath(path []byte) bool {
	for _, p := range r.paths {
		if string(path) == p {
			return true
		}
	}
	for _, p := range r.prefixes {
		if bytes.HasPrefix(path, []byte(p)) {
			return true
		}
	}
	return false
}
