package sandbox

import (
	"slices"
	"strings"
)

// affect is the conversation after a message: what a command does, who takes
// part, and whether it is queued, active or closed.
func (st *store) affect(conversation, m object) object {
	next := slices.Clone(conversation)
	switch m.text("type") {
	case "command":
		st.command(&next, m)
		return next
	case "mention":
		if user := m.object("meta").text("targetUser"); st.accounts[user] != nil {
			st.involve(&next, user, func(p *object) { p.set("inbox", true) })
		}
	}
	switch user := m.text("user"); {
	case m.text("role") == "contact":
		if next.text("status") == "closed" {
			next.set("status", "queued")
		}
	case user == "":
	case m.text("role") == "agent" && !m.flag("isBackchannel"):
		st.accept(&next, user)
	default:
		st.involve(&next, user, nil)
	}
	return next
}

// command does what a system command says. A bot command (">…") and an
// unknown one have no effect here: they only reach the webhooks.
func (st *store) command(conversation *object, m object) {
	name, rest, _ := strings.Cut(m.text("text"), " ")
	user := m.text("user")
	switch name {
	case "/notify", "/enqueue":
		conversation.set("status", "queued")
	case "/assign":
		for _, u := range m.object("meta").list("users") {
			if id, _ := u.(string); st.accounts[id] != nil {
				st.involve(conversation, id, func(p *object) { p.set("inbox", true) })
			}
		}
	case "/accept":
		st.accept(conversation, user)
	case "/join":
		st.involve(conversation, user, nil)
	case "/leave":
		st.leave(conversation, user)
	case "/set":
		setMeta(conversation, rest)
	}
}

// setMeta writes conversation.meta[key]; without a value it removes the key.
func setMeta(conversation *object, assignment string) {
	key, value, _ := strings.Cut(strings.TrimLeft(assignment, " "), " ")
	switch meta := conversation.object("meta"); {
	case key == "":
	case value == "":
		conversation.set("meta", meta.without(key))
	default:
		conversation.set("meta", meta.with(key, value))
	}
}

// participant is a user's entry in a conversation.
func (st *store) participant(user string, accepted bool) object {
	a := st.accounts[user]
	if a == nil {
		a = &account{id: user}
	}
	return obj("user", user, "role", a.role, "name", st.fullName(user), "active", true,
		"accepted", accepted, "follow", false, "inbox", false, "organization", a.organization)
}

// involve makes a user a participant, and changes the entry.
func (st *store) involve(conversation *object, user string, change func(*object)) {
	if user == "" {
		return
	}
	list := slices.Clone(conversation.list("participants"))
	i := slices.IndexFunc(list, func(p any) bool {
		o, _ := p.(object)
		return o.text("user") == user
	})
	if i < 0 {
		i, list = len(list), append(list, st.participant(user, false))
	}
	p := slices.Clone(list[i].(object))
	if change != nil {
		change(&p)
	}
	list[i] = p
	conversation.set("participants", list)
}

// accept makes a user responsible and the conversation active.
func (st *store) accept(conversation *object, user string) {
	st.involve(conversation, user, func(p *object) {
		p.set("active", true)
		p.set("accepted", true)
		p.set("inbox", false)
	})
	conversation.set("status", "active")
}

// leave is the inverse of accept. When nobody who accepted is left, the
// conversation is closed.
func (st *store) leave(conversation *object, user string) {
	st.involve(conversation, user, func(p *object) {
		p.set("active", false)
		p.set("accepted", false)
		p.set("inbox", false)
	})
	for _, p := range conversation.list("participants") {
		if o, _ := p.(object); o.flag("accepted") {
			return
		}
	}
	conversation.set("status", "closed")
}
