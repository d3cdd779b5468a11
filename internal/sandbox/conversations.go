package sandbox

import (
	"net/http"
	"slices"
)

var conversationTypes = []string{"contact", "bot", "agent", "system"}

// createConversation is POST /v2/conversations. A consumer has one
// conversation: when the contact has it already, the answer is 200 and the
// messages go there.
func (s *Sandbox) createConversation(c *call) (answer, error) {
	if err := c.permit(toCreate, "conversations", ""); err != nil {
		return answer{}, err
	}
	body, err := c.object()
	if err != nil {
		return answer{}, err
	}
	d, drafts, err := s.conversationDraft(body)
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range drafts {
		if err := s.store.checkMessage(m); err != nil {
			return answer{}, err
		}
	}
	thread, isNew, err := s.findOrOpen(c, d)
	if err != nil {
		return answer{}, err
	}
	for _, m := range drafts {
		s.addMessage(c, authorOf(c.who), thread, m)
	}
	status := http.StatusOK
	if isNew {
		status = http.StatusCreated
	}
	return answer{status, s.store.view("conversations", thread.doc)}, nil
}

// conversationDraft parts a body into the conversation and its messages.
func (s *Sandbox) conversationDraft(body object) (d object, messages []object, err error) {
	d = draft(body).without("messages", "participants", "status")
	list, isList := body.get("messages").([]any)
	if body.has("messages") && !isList {
		return nil, nil, unprocessable("The messages of a conversation must be an array")
	}
	if len(list) > 0 {
		if messages, _, err = messageDrafts(list); err != nil {
			return nil, nil, err
		}
	}
	if d.has("contact") {
		d.setDefault("type", "contact")
	}
	switch {
	case !slices.Contains(conversationTypes, d.text("type")):
		return nil, nil, unprocessable("The type of a conversation must be contact, bot, agent or system")
	case d.text("type") == "contact" && !d.has("contact"):
		return nil, nil, unprocessable("A conversation of the type contact must have a contact")
	case d.has("meta") && d.object("meta") == nil:
		return nil, nil, unprocessable("The meta of a conversation must be an object")
	}
	return d, messages, nil
}

// findOrOpen is the contact's conversation, or a new one.
func (s *Sandbox) findOrOpen(c *call, d object) (thread *record, isNew bool, err error) {
	if err := s.store.home(c, "conversations", &d); err != nil {
		return nil, false, err
	}
	if d.text("type") == "contact" {
		contact, err := s.findOrMakeContact(c, d)
		if err != nil {
			return nil, false, err
		}
		if r, found := s.store.collections["conversations"].get(s.store.inbox[contact.text("id")]); found {
			s.mergeMeta(c, r, d.object("meta"))
			return r, false, nil
		}
		d.set("contact", contact.text("id"))
		d.setDefault("name", contact.object("profile").text("name"))
	}
	return s.openConversation(c, d), true, nil
}

// openConversation makes a conversation; its creator is the first
// participant. It waits in the queue until somebody accepts it.
func (s *Sandbox) openConversation(c *call, d object) *record {
	status := "active"
	if d.text("type") == "contact" {
		status = "queued"
	}
	d.set("status", status)
	d.set("participants", []any{s.store.participant(c.who.id, false)})
	doc := s.store.complete("conversations", d, c.now)
	r := s.store.insert("conversations", doc)
	s.changed("conversations", "create", doc, c)
	return r
}

// findOrMakeContact recognises a consumer by id, e-mail or telephone. The
// profile of one who is known is brought up to date.
func (s *Sandbox) findOrMakeContact(c *call, d object) (object, error) {
	if id, isID := d.get("contact").(string); isID {
		if doc := s.store.doc("contacts", id); doc != nil {
			return doc, nil
		}
		return nil, notFound("Contact")
	}
	contact := draft(d.object("contact"))
	profile := contact.object("profile")
	keys := contactKeys(d.text("organization"), profile)
	if len(keys) == 0 {
		return nil, unprocessable("A contact must have a profile with an email or a telephone")
	}
	for _, k := range keys {
		if r, found := s.store.collections["contacts"].get(s.store.contacts[k]); found {
			s.mergeProfile(c, r, profile)
			return r.doc, nil
		}
	}
	contact.set("organization", d.text("organization"))
	return s.createLocked(c, "contacts", contact)
}

func (s *Sandbox) mergeProfile(c *call, r *record, profile object) {
	merged := slices.Clone(r.doc.object("profile"))
	for _, m := range profile {
		merged.set(m.key, m.value)
	}
	if slices.EqualFunc(merged, r.doc.object("profile"), sameMember) {
		return
	}
	next := r.doc.with("profile", merged)
	next.set("updatedAt", stamp(c.now))
	s.store.publish("contacts", r, next)
	s.changed("contacts", "update", next, c)
}

func (s *Sandbox) mergeMeta(c *call, r *record, meta object) {
	if len(meta) == 0 {
		return
	}
	merged := slices.Clone(r.doc.object("meta"))
	for _, m := range meta {
		merged.set(m.key, m.value)
	}
	next := r.doc.with("meta", merged)
	next.set("updatedAt", stamp(c.now))
	s.store.publish("conversations", r, next)
	s.changed("conversations", "update", next, c)
}
