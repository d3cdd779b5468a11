package sandbox

import "time"

// The ids of the first data. They never change, so that every printed curl
// line works.
const (
	organizationID = "65aa0011223344556677aaaa"
	adminID        = "65aa001122334455667700a1"
	agentID        = "65aa001122334455667700b1"
	secondAgentID  = "65aa001122334455667700b2"
	botID          = "65aa001122334455667700c1"
	secondBotID    = "65aa001122334455667700c2"
	thirdBotID     = "65aa001122334455667700c3"
	contactID      = "65aa0c00aabbccddeeff0001"
	conversationID = "65aa0e00aabbccddeeff0001"

	permanentToken = "5a4db0c5a4db0c5a4db0c5a4db0c5c03"
	password       = "sandbox"
)

// seedTime is when the first data came to be, and the iat of the ready-made
// tokens; seedExpiry is their exp. Both are fixed, so the tokens are too.
var (
	seedTime   = time.Date(2025, 3, 1, 8, 0, 0, 0, time.UTC)
	seedExpiry = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Credential is a ready-made user with a token that lasts until the year 2100.
type Credential struct {
	Name           string // "bot", "second bot", …
	Role           string // admin, agent or bot
	UserID         string
	OrganizationID string
	Email          string
	Password       string
	Token          string
	Permanent      bool // the token is an opaque one, not a JWT
}

var seedUsers = []struct{ name, role, id, given, family, email string }{
	{"bot", "bot", botID, "Demo", "Bot", "bot+" + botID + "@chatshipper.com"},
	{"second bot", "bot", secondBotID, "Second", "Bot", "bot+" + secondBotID + "@chatshipper.com"},
	{"third bot", "bot", thirdBotID, "Third", "Bot", "bot+" + thirdBotID + "@chatshipper.com"},
	{"agent", "agent", agentID, "Alex", "Agent", "alex@demo.example"},
	{"second agent", "agent", secondAgentID, "Sam", "Agent", "sam@demo.example"},
	{"admin", "admin", adminID, "Robin", "Admin", "robin@demo.example"},
}

// Credentials are the ready-made users: three bots, the third with an opaque
// permanent token, two agents and an admin.
func (s *Sandbox) Credentials() []Credential {
	list := make([]Credential, 0, len(seedUsers))
	for _, u := range seedUsers {
		c := Credential{
			Name: u.name, Role: u.role, UserID: u.id, OrganizationID: organizationID,
			Email: u.email, Password: password, Token: permanentToken, Permanent: true,
		}
		if u.id != thirdBotID {
			l, _ := levelOf(u.role)
			a := &account{id: u.id, organization: organizationID, level: l}
			c.Token, c.Permanent = s.sign(a, accessGrant, "", seedTime, seedExpiry), false
		}
		list = append(list, c)
	}
	return list
}

// Credential is the ready-made user of that name ("bot", "second agent", …).
func (s *Sandbox) Credential(name string) Credential {
	for _, c := range s.Credentials() {
		if c.Name == name {
			return c
		}
	}
	panic("BUG: no ready-made user is called " + name)
}

// OrganizationID is the organization of all first data.
func (s *Sandbox) OrganizationID() string { return organizationID }

// ConversationID is a conversation with the consumer ContactID; the bots and
// the agents take part in it.
func (s *Sandbox) ConversationID() string { return conversationID }

// ContactID is the consumer of that conversation.
func (s *Sandbox) ContactID() string { return contactID }

// seeded is a store with the first data.
func (s *Sandbox) seeded() *store {
	st := newStore()
	st.put("organizations", obj("id", organizationID, "name", "Demo Organization",
		"path", organizationID, "level", 1, "status", "active"), seedTime)
	for _, u := range seedUsers {
		l, _ := levelOf(u.role)
		st.accounts[u.id] = &account{
			id: u.id, email: u.email, password: password,
			organization: organizationID, role: u.role, level: l,
		}
		st.put("users", obj("id", u.id, "organization", organizationID, "givenName", u.given,
			"familyName", u.family, "email", u.email, "organizations", st.memberships(organizationID, u.role)), seedTime)
		if l == bot {
			st.put("bots", obj("id", u.id, "organization", organizationID, "name", u.given+" "+u.family,
				"status", "active", "enabled", true, "audience", "owner"), seedTime)
			st.put("botinstances", obj("id", st.ids.next(seedTime), "organization", organizationID,
				"bot", u.id, "status", "active", "meta", object{}), seedTime)
		}
	}
	st.permanent[permanentToken] = thirdBotID
	st.put("contacts", obj("id", contactID, "organization", organizationID, "profile",
		obj("name", "Ada Demo", "email", "ada@consumer.example", "telephone", "+3197000000001")), seedTime)
	st.put("conversations", obj("id", conversationID, "organization", organizationID, "type", "contact",
		"name", "Ada Demo", "status", "active", "contact", contactID,
		"participants", []any{st.participant(botID, true)}), seedTime)
	return st
}

// put adds first data, as a request would have.
func (st *store) put(kind string, doc object, now time.Time) {
	st.insert(kind, st.complete(kind, doc, now))
}
