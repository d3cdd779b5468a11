package main

import (
	"fmt"
	"math"

	"github.com/chatshipper/gateway/internal/admin"
	"github.com/chatshipper/gateway/internal/balance"
	"github.com/chatshipper/gateway/internal/upstream"
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
		Top:      func(most int) any { return n.gateway.Top(most) },
		Upstream: func() any { return n.gateway.Upstream() },
		Reset:    n.gateway.ResetConversation,
	}
}

// facts are the lines of the status page: what of the upstream is passed over, and
// who is being limited.
func (n *node) facts() (list []admin.Fact) {
	for _, s := range n.gateway.Upstream().Servers {
		if s.Circuit != balance.Closed.String() {
			list = append(list, admin.Fact{Name: "Upstream address passed over", Value: passedOver(&s)})
		}
	}
	const few = 3
	top := n.gateway.Top(few)
	for _, kind := range []struct {
		name  string
		items []proxy.Offender
	}{{"Most refused address", top.IPs}, {"Most refused key", top.Keys}, {"Most refused conversation", top.Conversations}} {
		for _, o := range kind.items {
			list = append(list, admin.Fact{Name: kind.name, Value: fmt.Sprintf("%s: %d times by %s since %s", o.Who, o.Refused, o.Rule, top.Since.Format("15:04:05Z"))})
		}
	}
	return list
}

// passedOver says why a server of the upstream gets no requests.
func passedOver(s *upstream.Server) string {
	text := s.Address
	if s.Dials != "" {
		text += " (" + s.Dials + ")"
	}
	text += ": circuit " + s.Circuit
	if s.Unwell {
		text += ", fails its health check"
	}
	if s.Last != nil {
		text += fmt.Sprintf(", last failure at %s: %s", s.Last.At.Format("15:04:05Z"), s.Last.Cause)
	}
	if s.Wait > 0 {
		text += fmt.Sprintf(", tried again in %.0f s", math.Ceil(s.Wait))
	}
	return text
}
