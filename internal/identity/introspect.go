package identity

import (
	"encoding/json"
	"strings"
)

// userPlace is what stands for the user's id in a path of introspection.
const userPlace = "{user}"

// mayAsk reports whether the upstream can be asked about w.
func (d *Directory) mayAsk(w *Who) bool {
	return d.path != "" && (isPlainID(w.UserID) || !strings.Contains(d.path, userPlace))
}

// isPlainID reports whether an id can stand in a path as it is. The id comes
// from claims that nobody verified; another could lead to another resource, so
// nothing is asked about its user, and it says for itself who it is.
func isPlainID(id []byte) bool {
	for _, c := range id {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(id) > 0
}

// IntrospectionPath appends the path at which the upstream tells who w is, to
// be asked with the caller's own token. w must need it.
func (d *Directory) IntrospectionPath(dst []byte, w *Who) []byte {
	if !d.mayAsk(w) {
		panic("BUG: IntrospectionPath for a token that can't be asked about")
	}
	return append(dst, strings.ReplaceAll(d.path, userPlace, string(w.UserID))...)
}

// Introspected takes the upstream's answer about a token; status is 0 when none
// came. An answer of 2xx with a JSON object is believed for
// introspection.ttl, and then the upstream should be asked again; anything else
// is forgotten after 5 s. Where the answer says nothing of a role, the claims
// keep deciding. w is brought up to date.
func (d *Directory) Introspected(w *Who, status int, body []byte, now int64) {
	w.NeedsIntrospection = false
	var scratch Scratch
	var e entry
	known := d.recall(&e, w.Key, &scratch)
	w.SHA256 = e.who.SHA256
	e.until = now + min(d.ttl, failureTTL)
	if members, ok := readObject(body); ok && status/100 == 2 {
		e.until = now + d.ttl
		d.believe(w, members)
	}
	if known && e.failure == None {
		e.who = *w
		d.remember(&e, &scratch)
	}
}

// believe applies an answer to w. A user's id in it counts where the token
// itself named none, and what the configuration says of that user goes first.
func (d *Directory) believe(w *Who, members map[string]json.RawMessage) {
	if role := readAnswer(members).role(); role != Nobody {
		w.Role = role
	}
	if w.UserID != nil {
		return
	}
	id := readID(members["id"])
	if id == "" {
		id = readID(members["_id"])
	}
	d.setUser(w, id)
	d.named(w)
}

// readAnswer returns the highest rank that an answer names.
func readAnswer(members map[string]json.RawMessage) rank {
	highest := max(readRank(members["role"]), readRank(members["scope"]))
	var organizations []json.RawMessage
	_ = json.Unmarshal(members["organizations"], &organizations) // no list, no role in it
	for _, raw := range organizations {
		if organization, ok := readObject(raw); ok {
			highest = max(highest, readRank(organization["role"]))
		}
	}
	return highest
}
