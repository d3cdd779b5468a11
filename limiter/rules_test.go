package limiter

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/unit"
)

func compiled(t *testing.T, change func(*Config)) *Rules {
	t.Helper()
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	r, err := Compile(cfg, digest.NewHasher("test"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAddressesThatAreOneClient(t *testing.T) {
	r := compiled(t, nil)
	same := func(a, b string, want bool) {
		t.Helper()
		if got := r.IP(netip.MustParseAddr(a)).ID == r.IP(netip.MustParseAddr(b)).ID; got != want {
			t.Errorf("%s and %s: one client %v, want %v", a, b, got, want)
		}
	}
	same("192.0.2.1", "192.0.2.1", true)
	same("192.0.2.1", "192.0.2.2", false)
	same("::ffff:192.0.2.1", "192.0.2.1", true)
	same("2001:db8::1", "2001:db8::ffff:1", true)
	same("2001:db8:0:1::1", "2001:db8:0:2::1", false)
	same("fe80::1%eth0", "fe80::1%eth1", true)
	wide := compiled(t, func(c *Config) { c.PerIP.IPv6Prefix = 128 })
	if wide.IP(netip.MustParseAddr("2001:db8::1")).ID == wide.IP(netip.MustParseAddr("2001:db8::2")).ID {
		t.Error("a prefix of 128 bits folds addresses")
	}
	if (r.IP(netip.Addr{}) != Hit{}) {
		t.Error("no address is limited")
	}
}

func TestTheMostSpecificOverrideApplies(t *testing.T) {
	sum := sha256.Sum256([]byte("token"))
	r := compiled(t, func(c *Config) {
		c.Overrides = []Override{
			{CIDR: "10.0.0.0/8", Requests: 100, Window: time.Second},
			{CIDR: "10.1.0.0/16", Requests: 5, Window: time.Minute},
			{CIDR: "10.1.2.3", Requests: 1, Window: time.Second},
			{User: "u1", Requests: 50, Window: time.Second},
			{KeySHA256: hex.EncodeToString(sum[:]), Requests: 200, Window: time.Second},
		}
	})
	ip := func(addr string, want int) {
		t.Helper()
		if got := r.IP(netip.MustParseAddr(addr)).Limit.Requests; got != want {
			t.Errorf("%s: %d requests, want %d", addr, got, want)
		}
	}
	ip("192.0.2.1", 20)
	ip("10.9.9.9", 100)
	ip("10.1.9.9", 5)
	ip("::ffff:10.1.2.3", 1)
	key := func(token, user string, want int) {
		t.Helper()
		sum := sha256.Sum256([]byte(token))
		if got := r.Key(digest.ID{Lo: 1}, &sum, []byte(user), false).Limit.Requests; got != want {
			t.Errorf("%s of %s: %d requests, want %d", token, user, got, want)
		}
	}
	key("other", "", 20)
	key("other", "u1", 50)
	key("token", "u1", 200)
}

func TestByUserNeedsAVerifiedUser(t *testing.T) {
	r := compiled(t, func(c *Config) { c.PerKey.By = "user" })
	var sum [32]byte
	a, b := digest.ID{Lo: 1}, digest.ID{Lo: 2}
	if r.Key(a, &sum, []byte("u"), true).ID != r.Key(b, &sum, []byte("u"), true).ID {
		t.Error("two keys of a verified user count apart")
	}
	if r.Key(a, &sum, []byte("u"), false).ID != a {
		t.Error("an unverified user is believed")
	}
}

func TestModes(t *testing.T) {
	r := compiled(t, func(c *Config) {
		c.PerIP.Mode, c.PerKey.Mode = unit.Off, unit.Shadow
		c.Overrides = []Override{{User: "u", Requests: 1, Window: time.Second}}
	})
	var sum [32]byte
	if (r.IP(netip.MustParseAddr("192.0.2.1")) != Hit{}) {
		t.Error("a rule that is off still applies")
	}
	if !r.Key(digest.ID{Lo: 1}, &sum, []byte("u"), false).Limit.Shadow {
		t.Error("an override of a shadow rule enforces")
	}
	off := compiled(t, func(c *Config) { c.PerKey.Mode = unit.Off })
	if (off.Key(digest.ID{Lo: 1}, &sum, nil, false) != Hit{}) {
		t.Error("a rule that is off still applies")
	}
}

func TestExemptions(t *testing.T) {
	r := compiled(t, func(c *Config) {
		c.Exempt = []Exempt{{Path: "/v2/ping"}, {Path: "/static/*"}, {CIDR: "192.0.2.0/24"}}
	})
	for path, want := range map[string]bool{"/v2/ping": true, "/v2/ping/": false, "/static/a/b": true, "/static": false, "/": false} {
		if got := r.ExemptPath([]byte(path)); got != want {
			t.Errorf("%s: exempt %v, want %v", path, got, want)
		}
	}
	if !r.ExemptAddr(netip.MustParseAddr("192.0.2.77")) || r.ExemptAddr(netip.MustParseAddr("192.0.3.1")) {
		t.Error("the exempt network is not the one that is configured")
	}
}

func TestCompileNamesWhatItCannotRead(t *testing.T) {
	fails := func(want string, change func(*Config)) {
		t.Helper()
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := Compile(cfg, digest.NewHasher("")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	fails("overrides[0]", func(c *Config) { c.Overrides = []Override{{CIDR: "10.0.0.0/99"}} })
	fails("overrides[0]", func(c *Config) { c.Overrides = []Override{{KeySHA256: "abc"}} })
	fails("exempt[0]", func(c *Config) { c.Exempt = []Exempt{{CIDR: "nonsense"}} })
}

func TestValidateListsEveryMistake(t *testing.T) {
	cfg := DefaultConfig()
	cfg.PerIP = IPLimit{Requests: 0, Window: 0, IPv6Prefix: 129}
	cfg.PerKey = KeyLimit{Requests: -1, Window: 25 * time.Hour, By: "moon"}
	cfg.Overrides = []Override{{Requests: maxRequests + 1, Window: time.Second}, {CIDR: "x", Requests: 1, Window: time.Second}, {KeySHA256: "zz", User: "u", Requests: 0}}
	cfg.Exempt = []Exempt{{}, {Path: "ping"}, {CIDR: "x"}, {Path: "/a", CIDR: "10.0.0.0/8"}}
	var got []string
	cfg.Validate(func(path, problem string) { got = append(got, path) })
	want := []string{
		"per_ip.requests", "per_ip.window", "per_ip.ipv6_prefix", "per_key.requests", "per_key.window", "per_key.by",
		"overrides[0]", "overrides[0].requests", "overrides[1].cidr", "overrides[2].requests", "overrides[2].window", "overrides[2]", "overrides[2].key_sha256",
		"exempt[0]", "exempt[1].path", "exempt[2].cidr", "exempt[3]",
	}
	slices.Sort(got)
	slices.Sort(want)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	fine := DefaultConfig()
	fine.Validate(func(path, problem string) { t.Errorf("the default is wrong: %s %s", path, problem) })
}

func TestRuleNames(t *testing.T) {
	if PerIP.String() != "per_ip" || PerKey.String() != "per_key" {
		t.Error("the names are promised to dashboards")
	}
}
