package sandbox

import (
	"net/http"
)

// create is POST on a collection without rules of its own.
func (s *Sandbox) create(c *call, kind string) (answer, error) {
	if err := c.permit(toCreate, kind, ""); err != nil {
		return answer{}, err
	}
	body, err := c.object()
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	doc, err := s.createLocked(c, kind, draft(body))
	if err != nil {
		return answer{}, err
	}
	return created(s.store.view(kind, doc))
}

// createLocked makes a resource of a draft, after the checks of its kind.
func (s *Sandbox) createLocked(c *call, kind string, d object) (object, error) {
	if err := s.store.home(c, kind, &d); err != nil {
		return nil, err
	}
	var a *account
	if kind == "users" {
		var err error
		if a, err = s.store.newAccount(&d); err != nil {
			return nil, err
		}
	}
	doc := s.store.complete(kind, d, c.now)
	s.store.insert(kind, doc)
	if a != nil {
		a.id = doc.text("id")
		s.store.accounts[a.id] = a
	}
	s.changed(kind, "create", doc, c)
	return doc, nil
}

// home gives a draft its organization: the one it names, else the caller's.
// For an organization the same decides its parent.
func (st *store) home(c *call, kind string, d *object) error {
	field := "organization"
	if kind == "organizations" {
		field = "parent"
		*d = d.without("path", "level")
	}
	d.setDefault(field, c.who.organization)
	if st.doc("organizations", d.text(field)) == nil {
		return unprocessable("The %s of a new resource must be the id of an organization", field)
	}
	return nil
}

// fetch is GET on one resource.
func (s *Sandbox) fetch(c *call, kind string) (answer, error) {
	if err := c.permit(toFetch, kind, c.id); err != nil {
		return answer{}, err
	}
	q, err := parseQuery(c.r.URL.RawQuery)
	if err != nil {
		return answer{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, found := s.store.collections[kind].get(c.id)
	if !found {
		return answer{}, notFound(titles[kind])
	}
	return ok(s.store.render(kind, r.doc, q))
}

// update is PATCH: the body's members replace those of the resource whole,
// nested objects and arrays included; then the defaults of the type are
// filled in again.
func (s *Sandbox) update(c *call, kind string) (answer, error) {
	if err := c.permit(toUpdate, kind, c.id); err != nil {
		return answer{}, err
	}
	body, err := c.object()
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	doc, err := s.updateLocked(c, kind, draft(body))
	if err != nil {
		return answer{}, err
	}
	return ok(s.store.view(kind, doc))
}

func (s *Sandbox) updateLocked(c *call, kind string, d object) (object, error) {
	r, found := s.store.collections[kind].get(c.id)
	if !found {
		return nil, notFound(titles[kind])
	}
	if kind == "users" {
		if err := s.store.changeAccount(c, &d); err != nil {
			return nil, err
		}
	}
	next := s.store.merge(kind, r.doc, d)
	next.set("updatedAt", stamp(c.now))
	s.store.publish(kind, r, next)
	s.changed(kind, "update", next, c)
	return next, nil
}

// merge is the next version of a resource: a copy with the draft's members.
func (st *store) merge(kind string, doc, d object) object {
	switch kind {
	case "messages":
		d = d.without("conversation", "organization", "user")
	case "conversations":
		d = d.without("messages")
	case "organizations":
		d = d.without("path", "level")
	}
	next := append(make(object, 0, len(doc)+len(d)), doc...)
	for _, m := range d {
		next.set(m.key, m.value)
	}
	if d.has("organization") {
		next.set("orgPath", st.orgPath(d.text("organization")))
	}
	fillDefaults(kind, &next)
	return next
}

// delete answers 204 without a body.
func (s *Sandbox) delete(c *call, kind string) (answer, error) {
	if err := c.permit(toDelete, kind, c.id); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, found := s.store.collections[kind].get(c.id)
	if !found {
		return answer{}, notFound(titles[kind])
	}
	s.store.remove(kind, c.id)
	s.changed(kind, "delete", r.doc, c)
	return noContent()
}

// replaceMessage is PUT /v2/messages/{id}, the one PUT that the official SDK
// sends; it comes without a body. With one it changes what PATCH would.
func (s *Sandbox) replaceMessage(c *call) (answer, error) {
	if c.r.ContentLength != 0 {
		return s.update(c, "messages")
	}
	if err := c.permit(toUpdate, "messages", c.id); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	doc, err := s.updateLocked(c, "messages", nil)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, doc}, nil
}
