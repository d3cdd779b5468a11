package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

// Question is a request that an operator asks about. Each part may be left out.
// IP, Key and Conversation may also be digests of 12 digits, as the access log
// writes them, while they are among the most refused.
type Question struct {
	IP           string
	Key          string // the bearer token
	User         string // the user's id
	Role         string // bot or human; empty: what configuration and key say, and a bot's where only a conversation is named
	Conversation string
	Message      string // JSON: the message that would be sent, for the rule on identical ones
}

// Counter is how one limit stands to the request asked about.
type Counter struct {
	Rule     string      `json:"rule"`
	Who      string      `json:"who"` // as the access log writes it
	Limit    int         `json:"limit"`
	Window   string      `json:"window"`
	Mode     string      `json:"mode"` // enforce, or shadow: refuses nothing
	Used     int         `json:"used"`
	Refuses  bool        `json:"refuses"`
	PassesIn string      `json:"passes_in,omitempty"` // until one more is admitted
	Entries  []time.Time `json:"entries"`             // what counts now, the oldest first
	InFlight []time.Time `json:"in_flight,omitempty"` // messages without an answer yet, or with an unknown one
}

// Explanation is every counter that a request would meet now.
type Explanation struct {
	At        time.Time  `json:"at"`
	Role      string     `json:"role"`
	RefusedBy string     `json:"refused_by,omitempty"`
	PassesIn  string     `json:"passes_in,omitempty"`
	PassesAt  *time.Time `json:"passes_at,omitempty"`
	Counters  []Counter  `json:"counters"`
	Notes     []string   `json:"notes,omitempty"`
}

// asked is a question on its way to an answer.
type asked struct {
	g     *Gateway
	rules *rules
	now   int64
	wait  time.Duration
	who   identity.Who
	out   Explanation

	doubted bool // the shared store did not answer, and a note says so
}

// Explain tells how the counters stand that a request would meet now. It counts
// nothing. Errors say what of the question can't be understood.
func (g *Gateway) Explain(q Question) (Explanation, error) {
	a := &asked{g: g, rules: g.rules.Load(), now: g.clock.now()}
	a.out.At, a.out.Counters = time.Unix(0, a.now).UTC(), []Counter{}
	if q == (Question{}) {
		return a.out, errors.New("expected an ip, a key, a user or a conversation")
	}
	if err := errors.Join(a.client(q.IP), a.key(&q)); err != nil {
		return a.out, err
	}
	if err := a.conversation(&q); err != nil {
		return a.out, err
	}
	a.out.Role = a.who.Role.String()
	if a.out.RefusedBy != "" {
		at := a.out.At.Add(a.wait)
		a.out.PassesIn, a.out.PassesAt = inMilliseconds(a.wait), &at
	}
	return a.out, nil
}

func (a *asked) note(format string, args ...any) {
	a.out.Notes = append(a.out.Notes, fmt.Sprintf(format, args...))
}

// client looks at the counter of an address.
func (a *asked) client(ip string) error {
	if ip == "" {
		return nil
	}
	if isShort(ip) {
		return a.listed(offendingIP, limiter.PerIP, ip)
	}
	addr, err := netip.ParseAddr(ip)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read the ip: expected an address such as 192.0.2.1, or a digest of 12 digits")
	case a.rules.limits.ExemptAddr(addr):
		a.note("the address is exempt from the request limits")
		return nil
	}
	a.request(limiter.PerIP, a.rules.limits.IP(addr), a.rules.limits.ClientID(addr).Short())
	return nil
}

// key finds out whose the request is, and looks at the counter of its key.
func (a *asked) key(q *Question) error {
	if isShort(q.Key) {
		return a.listed(offendingKey, limiter.PerKey, q.Key)
	}
	if q.Key != "" {
		scratch := identity.Scratch{WithSHA256: true}
		var failure identity.Failure
		if a.who, failure = a.rules.directory.Lookup([]byte("Bearer "+q.Key), time.Now().UnixNano(), &scratch); failure != identity.None {
			a.note("the key is refused with 401: %s", failure)
		}
	}
	if q.User != "" {
		a.who.UserID, a.who.User = []byte(q.User), a.g.hasher.Sum([]byte(q.User))
		a.who.Role = a.rules.directory.RoleOf(q.User, "")
	}
	switch {
	case q.Role == "human":
		a.who.Role = identity.Human
	case q.Role == "bot" || q.Role == "" && a.who.Role == identity.Nobody && q.Conversation != "":
		a.who.Role = identity.Bot
	case q.Role != "":
		return fmt.Errorf("cannot read the role: expected bot or human, got %q", q.Role)
	}
	if !a.who.Key.IsZero() {
		hit := a.rules.limits.Key(a.who.Key, &a.who.SHA256, a.who.UserID, a.who.Verified)
		a.request(limiter.PerKey, hit, a.who.Key.Short())
	}
	return nil
}

// listed looks at the counter of somebody who is known by a digest only.
func (a *asked) listed(kind int, rule limiter.Rule, short string) error {
	who, ok := a.g.offenders.find(kind, short)
	if !ok {
		return fmt.Errorf("cannot find %s: a digest is understood only while it is among the most refused", short)
	}
	a.request(rule, limiter.Hit{ID: who.counter, Limit: limiter.Limit{Requests: who.limit, Window: who.window}}, short)
	return nil
}

// request adds the counter of a request limit, and that of its candidate.
func (a *asked) request(rule limiter.Rule, hit limiter.Hit, who string) {
	if hit.Limit.Requests == 0 {
		a.note("%s is off", rule)
		return
	}
	live, candidate := a.requestStandings(rule, hit)
	add := func(name string, s *limiter.Standing) {
		a.add(Counter{
			Rule: name, Who: who, Limit: s.Limit.Requests, Window: s.Limit.Window.String(), Mode: modeOf(s.Limit.Shadow),
			Used: s.Used, Entries: instants(s.Times),
		}, s.Wait)
	}
	add(rule.String(), &live)
	if candidate.Limit.Requests > 0 {
		add(rule.Candidate(), &candidate)
	}
}

// add adds a counter, and sees whether it is what refuses the request longest.
func (a *asked) add(c Counter, wait time.Duration) {
	if wait > 0 {
		c.Refuses, c.PassesIn = c.Mode == modeOf(false), inMilliseconds(wait)
	}
	if c.Refuses && wait > a.wait {
		a.out.RefusedBy, a.wait = c.Rule, wait
	}
	a.out.Counters = append(a.out.Counters, c)
}

// conversation looks at what a bot has sent to a conversation.
func (a *asked) conversation(q *Question) error {
	if q.Conversation == "" {
		return nil
	}
	from := loopguard.Sender{Bot: a.who.User, Token: a.who.Key}
	message := loopguard.Message{Conversation: a.rules.reader.Conversation([]byte(q.Conversation))}
	if isShort(q.Conversation) {
		who, ok := a.g.offenders.find(offendingConversation, q.Conversation)
		if !ok {
			return fmt.Errorf("cannot find %s: a digest is understood only while it is among the most refused", q.Conversation)
		}
		message.Conversation, from.Bot = who.who, who.bot
	}
	switch {
	case a.who.Role == identity.Human:
		a.note("a human's messages are not limited")
		return nil
	case from.Bot.IsZero():
		return errors.New("cannot tell which bot is meant: name its key or its user")
	}
	if err := a.content(q.Message, &message); err != nil {
		return err
	}
	for _, s := range a.messageStandings(from, message) {
		a.add(Counter{
			Rule: s.Rule, Who: message.Conversation.Short(), Limit: s.Limit.Messages, Window: s.Limit.Window.String(),
			Mode: modeOf(s.Limit.Shadow), Used: s.Used, Entries: instants(s.Kept), InFlight: instants(s.InFlight),
		}, s.Wait)
	}
	return nil
}

// content reads the message that would be sent.
func (a *asked) content(text string, into *loopguard.Message) error {
	if text == "" {
		a.note("the rule on identical messages was not asked: it needs the message that would be sent")
		return nil
	}
	var batch loopguard.Batch
	if err := a.rules.reader.Read(&batch, []byte(text), nil); err != nil {
		return fmt.Errorf("cannot read the message: %w", err)
	}
	if len(batch.Messages) != 1 {
		return errors.New("cannot read the message: expected one JSON object")
	}
	into.Content = batch.Messages[0].Content
	return nil
}

// ResetConversation forgets what every bot has sent to a conversation, and
// returns its digest. Errors say what can't be understood.
func (g *Gateway) ResetConversation(id string) (short string, err error) {
	conversation := g.rules.Load().reader.Conversation([]byte(id))
	if isShort(id) {
		var ok bool
		if conversation, ok = g.knownConversation(id); !ok {
			return "", fmt.Errorf("cannot find %s: a digest is understood only while its conversation is blocked, near a limit or among the most refused", id)
		}
	} else if !isID([]byte(id)) {
		return "", errors.New("expected the id of a conversation")
	}
	g.guard.Reset(g.clock.now(), g.rules.Load().guard, conversation)
	return conversation.Short(), nil
}

// knownConversation resolves the digest of a conversation that is shown somewhere.
func (g *Gateway) knownConversation(short string) (id digest.ID, ok bool) {
	if id, ok = g.talks.find(short); ok {
		return id, true
	}
	who, ok := g.offenders.find(offendingConversation, short)
	return who.who, ok
}

// isShort reports whether a text is a digest as logs write it.
func isShort(text string) bool {
	for _, c := range []byte(text) {
		if unhex(c) < 0 || c >= 'A' && c <= 'F' {
			return false
		}
	}
	return len(text) == len(digest.ID{}.Short())
}

// inMilliseconds is a wait in words, rounded up.
func inMilliseconds(wait time.Duration) string {
	return (wait + time.Millisecond - 1).Truncate(time.Millisecond).String()
}

func modeOf(shadow bool) string {
	if shadow {
		return "shadow"
	}
	return "enforce"
}

func instants(times []int64) []time.Time {
	list := make([]time.Time, len(times))
	for i, ns := range times {
		list[i] = time.Unix(0, ns).UTC()
	}
	return list
}
