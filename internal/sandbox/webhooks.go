package sandbox

import (
	"maps"
	"slices"
	"time"
)

// hookTarget is where a service wants its events now.
func (s *Sandbox) hookTarget(service string) (url, secret string, found bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	doc := s.store.doc("services", service)
	params := doc.object("params")
	return params.text("url"), params.text("secret"), isActiveHook(doc)
}

// hookReplied posts the messages of a receiver's answer, as the user of the
// token that it carries, into the conversation of the event. Empty answers
// and empty texts are ignored.
func (s *Sandbox) hookReplied(conversation string, reply []byte) {
	v, err := decode(reply)
	body, _ := v.(object)
	if err != nil || conversation == "" || body.text("token") == "" {
		return
	}
	who, err := s.owner(body.text("token"))
	if err != nil {
		s.opts.Logger.Warn("sandbox: a webhook answered with a bad token", "error", err)
		return
	}
	var drafts []object
	for _, m := range body.list("messages") {
		if o, isObject := m.(object); isObject && (o.text("text") != "" || o.has("items") || o.has("actions")) {
			drafts = append(drafts, draft(o))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{now: s.now(), who: who}
	if _, err := s.addMessages(c, authorOf(who), conversation, drafts); err != nil {
		s.opts.Logger.Warn("sandbox: cannot post a webhook's answer", "error", err)
	}
}

// showWebhooks is GET /sandbox/webhooks: the switches and the counters.
func (s *Sandbox) showWebhooks(*call) (answer, error) {
	h := s.hooks
	h.mu.Lock()
	sw := h.switches
	h.mu.Unlock()
	o := obj("delay", sw.delay.String(), "twice", sw.twice, "shuffle", sw.shuffle)
	return ok(append(o, h.counts()...))
}

// counts are the deliveries so far.
func (h *hooks) counts() object {
	h.mu.Lock()
	defer h.mu.Unlock()
	return obj("pending", h.pending, "delivered", h.delivered, "retried", h.retried, "failed", h.failed)
}

// switchWebhooks is POST /sandbox/webhooks: deliver late, twice, out of
// order. A switch that the body does not name is off.
func (s *Sandbox) switchWebhooks(c *call) (answer, error) {
	body, err := c.object()
	if err != nil {
		return answer{}, err
	}
	sw := switches{twice: body.flag("twice"), shuffle: body.flag("shuffle")}
	for _, m := range body {
		switch m.key {
		case "twice", "shuffle":
			if _, isBool := m.value.(bool); !isBool {
				return answer{}, badRequest("%s must be true or false", m.key)
			}
		case "delay":
			if sw.delay, err = time.ParseDuration(body.text("delay")); err != nil || sw.delay < 0 {
				return answer{}, badRequest("delay must be a duration like 200ms")
			}
		default:
			return answer{}, badRequest("There is no switch %s: only delay, twice and shuffle", m.key)
		}
	}
	s.hooks.mu.Lock()
	s.hooks.switches = sw
	s.hooks.mu.Unlock()
	return s.showWebhooks(c)
}

// calmWebhooks is DELETE /sandbox/webhooks: all switches off.
func (s *Sandbox) calmWebhooks(*call) (answer, error) {
	s.hooks.mu.Lock()
	s.hooks.switches = switches{}
	s.hooks.mu.Unlock()
	return noContent()
}

// counts turns counters into an object, sorted by name.
func counts(m map[string]int) object {
	o := object{}
	for _, k := range sortedKeys(m) {
		o = append(o, member{k, m[k]})
	}
	return o
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
