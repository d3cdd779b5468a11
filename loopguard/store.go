package loopguard

import "github.com/chatshipper/gateway/internal/digest"

// Store remembers messages and decides about them. Memory is one; a store that
// several gateways share decides by its own clock and ignores now. It is safe for
// concurrent use.
type Store interface {
	Holder
	Recorder
}

// Holder holds the places of messages whose fate is not known yet.
type Holder interface {
	// Reserve decides about the messages of one request, all or none.
	Reserve(now int64, rules *Rules, from Sender, messages []Message, res *Reservation) Decision
	// Keep settles a reservation whose messages were created.
	Keep(res *Reservation)
	// GiveBack settles one whose messages were refused.
	GiveBack(res *Reservation)
}

// Recorder learns of what has happened already.
type Recorder interface {
	// Charge counts messages that nobody can refuse any more.
	Charge(now int64, rules *Rules, from Sender, messages []Message)
	// Reply resets streaks, and reports whether it was news.
	Reply(now int64, r Reply) (reset bool)
	// Reset forgets what every bot has sent to a conversation, for both rules.
	Reset(now int64, rules *Rules, conversation digest.ID)
}
