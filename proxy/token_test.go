package proxy

import (
	"encoding/base64"
	"fmt"
)

// jwt is a token of ChatShipper's shape. Nothing here verifies its signature;
// serial makes it another token of the same user.
func jwt(user, scope, serial string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"HS256","typ":"JWT"}`) + "." +
		part(fmt.Sprintf(`{"_id":%q,"organization":"65aa0011223344556677aaaa","scope":%q,"grant_type":"access_token"}`, user, scope)) +
		"." + part("signature "+serial)
}

const (
	botScope   = "viewer guest agent bot"
	agentScope = "viewer guest agent"
	adminScope = "viewer guest agent bot admin"
)

var (
	botToken   = jwt("65aa001122334455667700c1", botScope, "1")
	otherBot   = jwt("65aa001122334455667700c2", botScope, "1")
	agentToken = jwt("65aa001122334455667700b1", agentScope, "1")
	adminToken = jwt("65aa001122334455667700a1", adminScope, "1")
)

const conversation = "65aa0e00aabbccddeeff0001"

func chat(text string) string {
	return fmt.Sprintf(`{"conversation":%q,"text":%q}`, conversation, text)
}
