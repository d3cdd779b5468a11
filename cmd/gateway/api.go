package main

import (
	"github.com/chatshipper/gateway/internal/admin"
	"github.com/chatshipper/gateway/proxy"
)

// api is what the admin listener may ask the gateway.
func (n *node) api() admin.API {
	return admin.API{
		Explain: func(q admin.Question) (any, error) {
			return n.gateway.Explain(proxy.Question{
				IP: q.IP, Key: q.Key, User: q.User, Role: q.Role, Conversation: q.Conversation, Message: string(q.Message),
			})
		},
		Top:   func(most int) any { return n.gateway.Top(most) },
		Reset: n.gateway.ResetConversation,
	}
}
