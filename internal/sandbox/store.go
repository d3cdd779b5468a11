package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// store is everything the API remembers. It is guarded by Sandbox.mu; the
// objects in it are immutable and may be read after the lock is gone.
type store struct {
	collections map[string]*collection
	threads     map[string][]*record // conversation id → its messages, oldest first
	accounts    map[string]*account  // user id → what the API knows but never shows
	permanent   map[string]string    // opaque token → user id
	contacts    map[string]string    // "organization e-mail" or "organization telephone" → contact id
	inbox       map[string]string    // contact id → its one conversation
	ids         idSource
}

// account is the hidden half of a user.
type account struct {
	id, email, password string
	organization        string
	role                string
	level               level // what its tokens may do
}

// record is one stored resource. Its place in collection.order never moves.
type record struct {
	doc  object
	gone bool
}

type collection struct {
	name, title string // "contacts", "Contact"
	byID        map[string]*record
	order       []*record // oldest first; holds deleted ones until they are the majority
	gone        int
}

// titles are the resources, by the name in their route.
var titles = map[string]string{
	"users": "User", "organizations": "Organization", "orggroups": "Organization group",
	"channels": "Channel", "contacts": "Contact", "conversations": "Conversation",
	"messages": "Message", "services": "Service", "forms": "Form", "workflows": "Workflow",
	"bots": "Bot", "botinstances": "Bot instance", "kbases": "Knowledge base",
	"kbitems": "Knowledge item", "articles": "Article", "files": "File", "locations": "Location",
	"partners": "Partner", "metrics": "Metric", "points": "Point", "watemplates": "Template",
	"tests": "Test", "testresults": "Test result", "links": "Link",
}

func newStore() *store {
	st := &store{
		collections: make(map[string]*collection, len(titles)),
		threads:     map[string][]*record{},
		accounts:    map[string]*account{},
		permanent:   map[string]string{},
		contacts:    map[string]string{},
		inbox:       map[string]string{},
		ids:         newIDSource(),
	}
	for name, title := range titles {
		st.collections[name] = &collection{name: name, title: title, byID: map[string]*record{}}
	}
	return st
}

func (c *collection) get(id string) (*record, bool) {
	r, ok := c.byID[strings.ToLower(id)]
	return r, ok
}

func (c *collection) add(doc object) *record {
	r := &record{doc: doc}
	c.byID[doc.text("id")] = r
	c.order = append(c.order, r)
	return r
}

func (c *collection) remove(id string) {
	r, ok := c.byID[id]
	if !ok {
		return
	}
	delete(c.byID, id)
	r.gone = true
	c.gone++
	if c.gone > len(c.order)/2 {
		c.order = slices.DeleteFunc(c.order, func(r *record) bool { return r.gone })
		c.gone = 0
	}
}

// doc is the resource with that id, nil when there is none.
func (st *store) doc(collection, id string) object {
	if r, ok := st.collections[collection].get(id); ok {
		return r.doc
	}
	return nil
}

// anywhere looks an id up in every collection, those that share ids with
// users (bots) last.
func (st *store) anywhere(id string) object {
	for name, c := range st.collections {
		if r, ok := c.byID[id]; ok && name != "bots" {
			return r.doc
		}
	}
	return st.doc("bots", id)
}

// orgPath is the path of ids from the top organization down to this one.
func (st *store) orgPath(organization string) string {
	if p := st.doc("organizations", organization).text("path"); p != "" {
		return p
	}
	return organization
}

// remove deletes a resource and what hangs on it.
func (st *store) remove(kind, id string) {
	doc := st.doc(kind, id)
	st.collections[kind].remove(id)
	switch kind {
	case "users":
		delete(st.accounts, id)
	case "messages":
		c := doc.text("conversation")
		st.threads[c] = slices.DeleteFunc(st.threads[c], func(r *record) bool { return r.gone })
	case "conversations":
		for _, m := range st.threads[id] {
			st.collections["messages"].remove(m.doc.text("id"))
		}
		delete(st.threads, id)
		if contact := doc.text("contact"); st.inbox[contact] == id {
			delete(st.inbox, contact)
		}
	case "contacts":
		st.forgetContact(doc)
	}
}

// idSource makes ids in the manner of MongoDB: the time, a random part, a
// counter; 24 hex digits, ascending within a second.
type idSource struct {
	random [5]byte
	n      uint32
}

func newIDSource() idSource {
	var s idSource
	_, _ = rand.Read(s.random[:]) // never fails
	return s
}

func (s *idSource) next(now time.Time) string {
	s.n++
	return fmt.Sprintf("%08x%x%06x", uint32(now.Unix()), s.random, s.n&0xffffff)
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
