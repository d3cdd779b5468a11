package sandbox

import "strings"

// memberships is the `organizations` member of a user.
func (st *store) memberships(organization, role string) []any {
	return []any{obj("organization", organization, "orgPath", st.orgPath(organization),
		"selected", true, "role", role)}
}

// roleIn reads the role that a user's draft asks for, "" when it names none.
func roleIn(d object) string {
	if role, ok := first(d, "organizations.role"); ok {
		s, _ := role.(string)
		return s
	}
	return d.text("role")
}

// newAccount checks the draft of a user and takes from it what is never
// shown again.
func (st *store) newAccount(d *object) (*account, error) {
	a := &account{
		email: d.text("email"), password: d.text("password"),
		organization: d.text("organization"), role: roleIn(*d),
	}
	if a.role == "" {
		a.role = "agent"
	}
	var known bool
	if a.level, known = levelOf(a.role); !known {
		return nil, unprocessable("The role must be one of %s", strings.Join(scopeWords, ", "))
	}
	if a.email == "" {
		return nil, unprocessable("A user must have an email")
	}
	for _, other := range st.accounts {
		if strings.EqualFold(other.email, a.email) {
			return nil, unprocessable("A user with the email %s exists", a.email)
		}
	}
	*d = d.without("password", "role")
	d.setDefault("organizations", st.memberships(a.organization, a.role))
	return a, nil
}

// changeAccount takes the hidden members out of an update of a user. Only an
// admin may change a role, the own one included.
func (st *store) changeAccount(c *call, d *object) error {
	old := st.accounts[c.id]
	if old == nil {
		return notFound("User")
	}
	next := *old
	if p := d.text("password"); p != "" {
		next.password = p
	}
	if e := d.text("email"); e != "" {
		next.email = e
	}
	if role := roleIn(*d); role != "" && role != old.role {
		l, known := levelOf(role)
		switch {
		case c.who.level < admin:
			return forbidden("Only an admin may change a role")
		case !known:
			return unprocessable("The role must be one of %s", strings.Join(scopeWords, ", "))
		}
		next.role, next.level = role, l
		if !d.has("organizations") {
			d.set("organizations", st.memberships(next.organization, role))
		}
	}
	*d = d.without("password", "role")
	st.accounts[c.id] = &next
	return nil
}

// fullName is what a user is called in conversations and activities.
func (st *store) fullName(user string) string {
	d := st.doc("users", user)
	return strings.TrimSpace(d.text("givenName") + " " + d.text("familyName"))
}
