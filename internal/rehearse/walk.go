package rehearse

import (
	"cmp"
	"time"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
	"github.com/chatshipper/gateway/proxy"
)

// walk is one request on its way, as the corridor of package proxy walks it.
type walk struct {
	house  *House
	r      *Request
	now    int64
	target proxy.Target
	who    identity.Who
	failed identity.Failure
	read   bool // the house's batch holds the request's messages
	held   bool // the house's reservation must be settled
	answer Answer
	recent limiter.Recent
}

// Ask walks one request down the rules at now (ns; later calls must not bring
// earlier times) and settles what it reserved by what the upstream makes of it.
func (h *House) Ask(now int64, r *Request) Answer {
	w := walk{house: h, r: r, now: now}
	w.answer.Decision = Admitted
	if w.understand() && w.identify() && w.limit() && w.permit() && w.authenticate() && w.guard() {
		w.forward()
		w.settle()
	}
	return w.answer
}

// Reply learns that a consumer wrote in a conversation at a time, as a webhook
// event tells it at now.
func (h *House) Reply(now, at int64, conversation string) {
	h.messages.Reply(now, loopguard.Reply{Conversation: h.reader.Conversation([]byte(conversation)), At: at})
}

func (w *walk) refuse(e apierror.Error) bool {
	w.answer.refuse(e)
	return false
}

func (w *walk) understand() bool {
	w.target = proxy.TargetOf(w.r.Method, w.r.Target)
	if w.target.Problem != "" {
		return w.refuse(apierror.Error{Code: apierror.InvalidRequest, Message: w.target.Problem})
	}
	return true
}

func (w *walk) identify() bool {
	var credential []byte
	if w.r.Key != "" {
		credential = []byte("Bearer " + w.r.Key)
	}
	w.house.scratch.WithSHA256 = true
	w.who, w.failed = w.house.directory.Lookup(credential, w.now, &w.house.scratch)
	if w.r.User != "" {
		w.who.UserID, w.who.Verified, w.failed = []byte(w.r.User), true, identity.None
		w.who.User = w.house.hasher.Sum(w.who.UserID)
	}
	if w.r.Role != "" {
		w.who.Role, w.failed = roleNamed(w.r.Role), identity.None
	}
	if w.who.User.IsZero() && w.failed == identity.None {
		w.who.User = w.who.Key
	}
	return true
}

// roleNamed is the role of a word that Validate has accepted.
func roleNamed(word string) identity.Role {
	for _, r := range []identity.Role{identity.Human, identity.Bot} {
		if word == r.String() {
			return r
		}
	}
	return identity.Nobody
}

func (w *walk) limit() bool {
	ip, key, limited := proxy.RequestHits(w.house.limits, w.r.Client, w.target.Path, &w.who, &w.recent)
	if !limited {
		return true
	}
	d := w.house.requests.Take(w.now, ip, key)
	w.countRequests(&d)
	if !d.Admitted {
		return w.refuse(proxy.RequestRefusal(&d))
	}
	for rule, trial := range d.Trials {
		if trial == limiter.WouldRefuse {
			w.tried(limiter.Rule(rule).Candidate())
		}
	}
	return true
}

func (w *walk) countRequests(d *limiter.Decision) {
	for rule := range d.States {
		s := &d.States[rule]
		if s.Limit.Requests == 0 {
			continue
		}
		w.count(Counter{
			Rule: limiter.Rule(rule).String(), Used: s.Used, Limit: s.Limit.Requests, Window: s.Limit.Window,
			Shadow: s.Limit.Shadow, Wait: s.Wait, Over: s.Over,
		})
	}
}

// count notes a counter, and that its rule would have refused.
func (w *walk) count(c Counter) {
	w.answer.Counters = append(w.answer.Counters, c)
	if c.Over && c.Shadow && w.answer.Rule == "" {
		w.answer.Rule, w.answer.Decision = c.Rule, WouldRefuse
	}
}

// tried notes the first candidate that would have refused.
func (w *walk) tried(candidate string) { w.answer.Shadow = cmp.Or(w.answer.Shadow, candidate) }

func (w *walk) permit() bool {
	if e, refused := w.house.methods.Refuses(w.r.Method, w.target.Path); refused {
		return w.refuse(e)
	}
	return true
}

func (w *walk) authenticate() bool {
	if w.failed == identity.None || w.target.IsToken {
		return true
	}
	return w.refuse(proxy.KeyRefusal(w.failed))
}

func (w *walk) guard() bool {
	if !w.target.CreatesMessage {
		return true
	}
	if len(w.r.Body) > int(w.house.cfg.LoopGuard.MaxBodyBytes) {
		return w.refuse(apierror.Error{Code: apierror.PayloadTooLarge})
	}
	if err := w.readMessages(); err != nil {
		return w.refuse(proxy.ReadRefusal(err))
	}
	w.read = true
	if w.who.Role != identity.Bot || w.target.Embedded {
		return true
	}
	d := w.house.messages.Reserve(w.now, w.house.guard, w.sender(), w.house.batch.Messages, &w.house.held)
	w.countMessages(&d)
	w.held = d.Admitted
	if !d.Admitted {
		return w.refuse(proxy.MessageRefusal(&d))
	}
	for rule, trial := range d.Trials {
		if trial == loopguard.WouldRefuse {
			w.tried(loopguard.Rule(rule).Candidate())
		}
	}
	return true
}

func (w *walk) readMessages() error {
	if w.target.Embedded {
		return w.house.reader.ReadEmbedded(&w.house.batch, w.r.Body)
	}
	return w.house.reader.Read(&w.house.batch, w.r.Body, w.target.Conversation)
}

func (w *walk) sender() loopguard.Sender { return loopguard.Sender{Bot: w.who.User, Token: w.who.Key} }

func (w *walk) countMessages(d *loopguard.Decision) {
	for rule := range d.States {
		s := &d.States[rule]
		if s.Limit.Messages == 0 {
			continue
		}
		w.count(Counter{
			Rule: loopguard.Rule(rule).String(), Used: s.Used, Limit: s.Limit.Messages, Window: s.Limit.Window,
			Shadow: s.Limit.Shadow, Wait: s.Wait, Over: s.Over,
		})
	}
}

// forward is the upstream's part.
func (w *walk) forward() {
	switch {
	case w.r.Fate.Status != 0:
		w.answer.Status = w.r.Fate.Status
	case w.r.Fate.Reached:
		w.refuse(apierror.Error{Code: apierror.UpstreamTimeout, Status: w.house.cfg.Errors.TimeoutStatus, RetryAfter: 1})
	default:
		w.refuse(apierror.Error{Code: apierror.UpstreamUnreachable})
	}
}

func (w *walk) confirmed() bool { return w.r.Fate.Status >= 200 && w.r.Fate.Status < 300 }

// settle does what the corridor's settle does, with the same rooms.
func (w *walk) settle() {
	if w.held {
		switch {
		case w.confirmed():
			w.house.messages.Keep(&w.house.held)
		case w.r.Fate.Status == 0 && w.r.Fate.Reached:
			w.house.held.Unknown()
		default:
			w.house.messages.GiveBack(&w.house.held)
		}
	}
	if !w.read || !w.confirmed() || w.who.Role == identity.Nobody || w.target.Embedded && !w.settleEmbedded() {
		return
	}
	proxy.EachReply(w.house.batch.Messages, w.who.Role, func(m *loopguard.Message) {
		w.house.messages.Reply(w.now, loopguard.Reply{Conversation: m.Conversation, Author: proxy.AuthorOf(&w.who), At: w.now})
	})
}

// settleEmbedded counts messages that went into an existing conversation.
func (w *walk) settleEmbedded() bool {
	id, ok := w.house.reader.ConversationOf(w.r.Answer)
	if w.r.Fate.Status != 200 || !ok || len(w.house.batch.Messages) == 0 {
		return false
	}
	for i := range w.house.batch.Messages {
		w.house.batch.Messages[i].Conversation = id
	}
	if w.who.Role == identity.Bot {
		w.house.messages.Charge(w.now, w.house.guard, w.sender(), w.house.batch.Messages)
	}
	return true
}

// epoch is the first instant of every rehearsal: a time that no rule could take
// for "never", and the same at every run.
var epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC).UnixNano()
