package proxy

import (
	"time"

	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/loopguard"
)

// settle keeps or gives back what the request reserved, by what the upstream
// made of it, and lets a confirmed reply reset the streak. Only what the
// upstream confirmed counts for anybody but the token that sent it.
func (x *exchange) settle() {
	if x.held {
		x.held = false
		switch {
		case x.confirmed():
			x.g.guard.Keep(&x.reserved)
		case x.outcome == unknown:
			x.reserved.Unknown()
		default:
			x.g.guard.GiveBack(&x.reserved)
		}
	}
	if !x.read || !x.confirmed() || x.who.Role == identity.Nobody {
		return
	}
	if x.routed.route == routeConversations && !x.settleEmbedded() {
		return
	}
	x.settleReplies()
}

// confirmed reports whether the upstream did what it was asked to.
func (x *exchange) confirmed() bool {
	return x.outcome == answered && x.answer.Status >= 200 && x.answer.Status < 300
}

// settleEmbedded finds out where the messages of a POST /v2/conversations went.
// Those of a new conversation (201) count for nothing; those for an existing
// contact (200) went into the conversation that the answer names.
func (x *exchange) settleEmbedded() bool {
	if x.answer.Status != 200 || len(x.batch.Messages) == 0 {
		return false
	}
	id, ok := x.rules.reader.ConversationOf(x.reply.body)
	if x.streaming || !ok {
		x.g.metrics.uninspected[uninspectedAnswer].Inc()
		return false
	}
	for i := range x.batch.Messages {
		x.batch.Messages[i].Conversation = id
	}
	if x.who.Role == identity.Bot {
		x.g.guard.Charge(x.now, x.rules.guard, x.sender(), x.batch.Messages)
	}
	return true
}

// settleReplies resets the streak of every conversation that a person wrote to,
// or that a bot carried a consumer's words to.
func (x *exchange) settleReplies() {
	EachReply(x.batch.Messages, x.who.Role, x.resetStreak)
}

func (x *exchange) resetStreak(m *loopguard.Message) {
	x.replied = replied{m.Conversation, x.now}
	reply := loopguard.Reply{
		Conversation: m.Conversation, Author: AuthorOf(&x.who),
		At: x.now, Ago: time.Duration(x.g.clock.now() - x.now), Window: x.rules.guard.Window(loopguard.Consecutive),
	}
	if !x.g.guard.Reply(x.now, reply) {
		return
	}
	if x.who.Role == identity.Bot {
		x.g.metrics.resets[resetIntegration].Inc()
	} else {
		x.g.metrics.resets[resetAgent].Inc()
	}
}
