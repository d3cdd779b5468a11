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
		Reset: n.resetConversation,
	}
}

// resetConversation forgets what was sent to a conversation, and leaves a trace
// of who did it. The conversation is named as the access log names it.
func (n *node) resetConversation(id string, withToken bool) (any, error) {
	short, err := n.gateway.ResetConversation(id)
	if err != nil {
		return nil, err
	}
	n.logger.Warn("audit", "action", "loopguard_reset", "conversation", short, "with_token", withToken)
	return map[string]string{"message": "The conversation was reset: its bots begin anew.", "conversation": short}, nil
}
