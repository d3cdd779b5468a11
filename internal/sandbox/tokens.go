package sandbox

import (
	"strings"
	"time"
)

// makeToken is POST /sandbox/tokens: another user, or another token of a
// user. {"role":"bot"} makes a user of that role; {"user":ID} names one that
// exists. "scope" gives a token more than the role has (an admin-scoped bot);
// "expiresIn" is a duration, negative for a token that has expired; without
// it the token never expires.
func (s *Sandbox) makeToken(c *call) (answer, error) {
	body, err := c.object()
	if err != nil {
		return answer{}, err
	}
	var exp time.Time
	if v := body.text("expiresIn"); v != "" {
		life, err := time.ParseDuration(v)
		if err != nil {
			return answer{}, badRequest("expiresIn must be a duration like 1h")
		}
		exp = c.now.Add(life)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.tokenUser(c, body)
	if err != nil {
		return answer{}, err
	}
	if scope := body.text("scope"); scope != "" {
		l, known := levelOf(scope)
		if !known {
			return answer{}, badRequest("scope must be one of %s", strings.Join(scopeWords, ", "))
		}
		raised := *a
		raised.level = l
		s.store.accounts[a.id], a = &raised, &raised
	}
	token := s.sign(a, accessGrant, randomHex(8), c.now, exp)
	if body.flag("permanent") {
		token = randomHex(16)
		s.store.permanent[token] = a.id
	}
	return created(obj("user", a.id, "role", a.role, "organization", a.organization,
		"scope", a.level.scope(), "email", a.email, "token", token))
}

// tokenUser is the user that the body names, or a new one.
func (s *Sandbox) tokenUser(c *call, body object) (*account, error) {
	if id := body.text("user"); id != "" {
		if a := s.store.accounts[id]; a != nil {
			return a, nil
		}
		return nil, notFound("User")
	}
	role := body.text("role")
	if _, known := levelOf(role); !known {
		return nil, badRequest("Name a user, or a role: one of %s", strings.Join(scopeWords, ", "))
	}
	c.who = s.store.accounts[adminID]
	if c.who == nil {
		c.who = &account{organization: organizationID}
	}
	id := s.store.ids.next(c.now)
	email := id + "@demo.example"
	if role == "bot" {
		email = "bot+" + id + "@chatshipper.com"
	}
	// A draft may not name its id, but what is not a draft may.
	doc, err := s.createLocked(c, "users", obj("id", id, "email", email, "password", password, "role", role,
		"givenName", "Sandbox", "familyName", strings.ToUpper(role[:1])+role[1:]))
	if err != nil {
		return nil, err
	}
	return s.store.accounts[doc.text("id")], nil
}
