package sandbox

import "strings"

// level is how high a scope stands. Scopes cascade: a token carries the word
// of every level below its own.
type level int

const (
	viewer level = iota // guest or viewer: the documentation uses both words for the lowest
	guest
	agent
	bot
	admin
)

var scopeWords = []string{"viewer", "guest", "agent", "bot", "admin"}

func levelOf(role string) (level, bool) {
	for i, w := range scopeWords {
		if w == role {
			return level(i), true
		}
	}
	return viewer, false
}

// scope is the claim of that name: "viewer guest agent bot".
func (l level) scope() string { return strings.Join(scopeWords[:l+1], " ") }

// The actions of the permission table.
const (
	toList = iota
	toFetch
	toCreate
	toUpdate
	toDelete
)

var actionWords = []string{"list", "fetch", "create", "update", "delete"}

// permissions is the documented table: the least level that may list, fetch
// and create. The documentation shows no rows for update and delete; here
// they need what creating needs, and for a message a bot, since everybody may
// create one.
var permissions = map[string][5]level{
	"organizations": {bot, bot, admin, admin, admin},
	"orggroups":     {bot, bot, admin, admin, admin},
	"users":         {bot, bot, admin, admin, admin},
	"messages":      {bot, bot, viewer, bot, bot},
	"conversations": {agent, viewer, agent, agent, agent},
	"contacts":      {agent, bot, bot, bot, bot},
	"kbases":        {agent, agent, agent, agent, agent},
	"kbitems":       {agent, agent, agent, agent, agent},
	"articles":      {agent, agent, agent, agent, agent},
	"forms":         {bot, admin, bot, bot, bot},
	"services":      {admin, admin, admin, admin, admin},
}

// otherwise is for the resources of which the documentation's table says
// nothing: everybody may read, bots and admins may write.
var otherwise = [5]level{viewer, viewer, bot, bot, bot}

// permit refuses with 403 what the caller's scope does not allow. Everybody
// may fetch and update the own user.
func (c *call) permit(action int, resource, id string) error {
	needs, ok := permissions[resource]
	if !ok {
		needs = otherwise
	}
	self := resource == "users" && id == c.who.id && (action == toFetch || action == toUpdate)
	if self || c.who.level >= needs[action] {
		return nil
	}
	return forbidden("A token with the scope %q may not %s %s", c.who.level.scope(), actionWords[action], resource)
}
