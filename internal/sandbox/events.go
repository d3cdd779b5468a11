package sandbox

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

// event is something that happened, for whoever subscribed to it.
type event struct {
	name         string // message.create.contact.chat, contact.update, …
	organization string
	orgPath      string
	conversation string // where a subscriber's reply goes, "" for none
	at           time.Time
	activity     object
	data         object
}

// changed tells the webhooks of a resource that was created, updated or
// deleted. The caller holds s.mu.
func (s *Sandbox) changed(kind, action string, doc object, c *call) {
	if !s.store.anyHook() {
		return
	}
	name := strings.TrimSuffix(kind, "s")
	actor := c.who
	if actor == nil {
		actor = &account{}
	}
	verb := strings.ToUpper(action[:1]) + action[1:]
	e := event{
		name: name + "." + action, organization: doc.text("organization"), orgPath: doc.text("orgPath"), at: c.now,
		activity: activity(verb, s.store.actor(actor.id, ""), obj("type", titles[kind], "id", doc.text("id")), c.now,
			s.store.fullName(actor.id)+" "+action+"d a "+strings.ToLower(titles[kind])),
		data: obj(name, doc, "links", object{}),
	}
	if kind == "organizations" {
		e.organization, e.orgPath = doc.text("id"), doc.text("path")
	}
	if kind == "messages" {
		e.conversation = doc.text("conversation")
		e.data = obj("conversation", s.store.doc("conversations", e.conversation), "message", doc, "links", object{})
	}
	s.emit(e)
}

// messageCreated tells the webhooks of a message. The caller holds s.mu.
func (s *Sandbox) messageCreated(conversation, m object, c *call) {
	if !s.store.anyHook() {
		return
	}
	actor := s.store.actor(m.text("user"), m.text("contact"))
	s.emit(event{
		name:         "message.create." + conversation.text("type") + "." + m.text("type"),
		organization: m.text("organization"), orgPath: m.text("orgPath"),
		conversation: conversation.text("id"), at: c.now,
		activity: activity("Create", actor, obj("type", "Note", "id", m.text("id"), "content", m.text("text")),
			c.now, actor.text("name")+" sent a "+m.text("type")+" message"),
		data: obj("conversation", conversation, "message", m, "links", object{}),
	})
}

func (s *Sandbox) userLoggedIn(a *account, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	doc := s.store.doc("users", a.id)
	if doc == nil || !s.store.anyHook() {
		return
	}
	s.emit(event{
		name: "user.login", organization: a.organization, orgPath: doc.text("orgPath"), at: now,
		activity: activity("Arrive", s.store.actor(a.id, ""), obj("type", "User", "id", a.id), now,
			s.store.fullName(a.id)+" logged in"),
		data: obj("user", doc, "links", object{}),
	})
}

// actor is who did it, in the words of ActivityStreams.
func (st *store) actor(user, contact string) object {
	if user == "" {
		return obj("type", "Person", "id", contact, "name", st.doc("contacts", contact).object("profile").text("name"))
	}
	kind := "Person"
	if a := st.accounts[user]; a != nil && a.role == "bot" {
		kind = "Application"
	}
	return obj("type", kind, "id", user, "name", st.fullName(user))
}

func activity(kind string, actor, what object, at time.Time, summary string) object {
	return obj("@context", "https://www.w3.org/ns/activitystreams", "type", kind,
		"actor", actor, "object", what, "published", stamp(at), "summary", summary)
}

// payload is the body of a delivery.
func (e *event) payload() []byte {
	return appendJSON(nil, obj("id", newUUID(), "event", e.name, "timestamp", stamp(e.at),
		"organization", e.organization, "activity", e.activity, "data", e.data))
}

// emit hands an event to every webhook that wants it.
func (s *Sandbox) emit(e event) {
	var body []byte
	for _, r := range s.store.collections["services"].order {
		if r.gone || !isActiveHook(r.doc) || !wants(r.doc, &e) {
			continue
		}
		if body == nil {
			body = e.payload()
		}
		s.hooks.enqueue(r.doc.text("id"), e.conversation, body)
	}
}

func (st *store) anyHook() bool {
	for _, r := range st.collections["services"].order {
		if !r.gone && isActiveHook(r.doc) {
			return true
		}
	}
	return false
}

func isActiveHook(service object) bool {
	return service.text("type") == "webhook" && service.text("status") == "active"
}

// wants applies the subscription: events in or below the service's
// organization, and of these the listed ones. "message.create" stands for
// all that begin with it.
func wants(service object, e *event) bool {
	inside := false
	for id := range strings.SplitSeq(e.orgPath, "#") {
		inside = inside || id == service.text("organization")
	}
	listed := service.object("params").list("events")
	if !inside || len(listed) == 0 {
		return inside
	}
	for _, l := range listed {
		name, _ := l.(string)
		name = strings.TrimSuffix(strings.TrimSuffix(name, "*"), ".")
		if name == "" || e.name == name || strings.HasPrefix(e.name, name+".") {
			return true
		}
	}
	return false
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
