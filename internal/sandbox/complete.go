package sandbox

import (
	"strings"
	"time"
)

// systemFields are set by the API; what a client sends in them is ignored. A
// member "error" is among them because the official SDK takes every answer
// that has one for a failure.
var systemFields = []string{"id", "_id", "orgPath", "createdAt", "updatedAt", "error"}

// draft is what a client sent, less what only the API may set.
func draft(body object) object {
	d := body.without(systemFields...)
	normaliseDates(d)
	return d
}

// complete makes a whole resource of a draft: id, organization and times in
// their places, and the defaults of its type.
func (st *store) complete(kind string, d object, now time.Time) object {
	o := make(object, 0, len(d)+12)
	o.set("id", d.get("id"))
	if !d.has("id") {
		o.set("id", st.ids.next(now))
	}
	if kind != "organizations" {
		o.set("organization", d.get("organization"))
		o.set("orgPath", st.orgPath(d.text("organization")))
	}
	if kind == "messages" {
		messageDefaults(&o)
	}
	for _, m := range d {
		o.set(m.key, m.value)
	}
	if kind == "organizations" && !o.has("path") {
		o.set("path", st.orgPath(o.text("parent"))+"#"+o.text("id"))
	}
	fillDefaults(kind, &o)
	o.set("createdAt", stamp(now))
	o.set("updatedAt", stamp(now))
	return o
}

// messageDefaults come before the draft's own members, so that a message
// reads in the order of the documentation.
func messageDefaults(o *object) {
	for _, m := range obj("conversation", "", "type", "chat", "role", "bot",
		"contentType", "text/plain", "text", "", "isBackchannel", false) {
		o.set(m.key, m.value)
	}
}

// serviceDefaults are the params that each type of service has anyway.
var serviceDefaults = map[string]object{
	"smartsupp": obj("port", 5222),
}

// fillDefaults adds what a resource of that kind always has. It runs after
// every creation and every update: a nested object that an update replaced
// gets its defaults again.
func fillDefaults(kind string, o *object) {
	switch kind {
	case "organizations":
		o.setDefault("level", strings.Count(o.text("path"), "#")+1)
		o.setDefault("status", "active")
		o.setDefault("categories", []any{})
		o.setDefault("stopwords", []any{})
	case "users":
		o.setDefault("status", "active")
	case "contacts":
		o.setDefault("profile", object{})
	case "conversations":
		o.setDefault("participants", []any{})
		o.setDefault("meta", object{})
	case "messages":
		o.setDefault("meta", object{})
	case "services":
		o.setDefault("status", "active")
		fillParams(o)
	case "bots", "botinstances":
		o.setDefault("status", "active")
	}
}

func fillParams(o *object) {
	params := append(object{}, o.object("params")...) // the old one may be published
	for _, m := range serviceDefaults[o.text("type")] {
		params.setDefault(m.key, m.value)
	}
	o.set("params", params)
}

// insert adds a complete resource to its collection and to what finds it.
func (st *store) insert(kind string, doc object) *record {
	r := st.collections[kind].add(doc)
	switch kind {
	case "messages":
		c := doc.text("conversation")
		st.threads[c] = append(st.threads[c], r)
	case "contacts":
		st.rememberContact(doc)
	case "conversations":
		if contact := doc.text("contact"); contact != "" && st.inbox[contact] == "" {
			st.inbox[contact] = doc.text("id")
		}
	}
	return r
}

// contactKeys are how a consumer is recognised: by e-mail or telephone,
// within an organization.
func contactKeys(organization string, profile object) []string {
	var keys []string
	for _, field := range []string{"email", "telephone"} {
		if v := profile.text(field); v != "" {
			keys = append(keys, organization+" "+strings.ToLower(v))
		}
	}
	return keys
}

func (st *store) rememberContact(doc object) {
	for _, k := range contactKeys(doc.text("organization"), doc.object("profile")) {
		if _, taken := st.contacts[k]; !taken {
			st.contacts[k] = doc.text("id")
		}
	}
}

func (st *store) forgetContact(doc object) {
	for _, k := range contactKeys(doc.text("organization"), doc.object("profile")) {
		if st.contacts[k] == doc.text("id") {
			delete(st.contacts, k)
		}
	}
}

// publish puts the next version of a resource in the place of the last.
func (st *store) publish(kind string, r *record, next object) {
	if kind == "contacts" {
		st.forgetContact(r.doc)
		st.rememberContact(next)
	}
	r.doc = next
}
