// Package loopguard stops bots that talk to themselves. It holds ChatShipper's
// two documented limits on the messages of one bot in one conversation: equal
// messages within minutes, and messages of any content since the last reply of
// an agent or a consumer.
//
// The room has two halves. The Reader turns a request's body into Messages,
// exactly as a Node.js upstream's JSON.parse reads it, so that what is judged is
// what is served. The Memory decides about Messages and remembers them. Neither
// knows of HTTP, of tokens in clear, of clocks or of configuration files: time
// is an argument, and everything a stranger sent arrives as a keyed digest.
//
// # Whose messages count
//
// Who a request comes from is only a claim until the upstream has confirmed it.
// So there are two kinds of count. A confirmed message, one that the upstream
// answered 2xx, counts for its bot, whatever token sends the next one. A message
// that is in flight counts only for the token that sent it:
//
//	count(bot, conversation, token) = confirmed(bot, conversation) + unsettled(bot, conversation, token)
//
// A forged token that claims another bot's id is refused by the upstream, and
// its place is given back: it has spent nothing. While its request is in flight
// it takes room only from itself, so it blocks nobody, not even for that long.
// And it can't reset a streak, because a reply counts only once the upstream has
// confirmed it. What a forger can do is see, in its own refusals, how much of
// the claimed bot's allowance is used up.
//
// The price of this is that a bot with several tokens, each with requests in
// flight at the same moment, can overshoot by what the others had in flight.
// Once they are confirmed, they all count.
//
// # Unknown outcomes
//
// When the connection to the upstream is lost, or times out, after a message was
// sent, nobody knows whether it was created. It keeps counting, because a bot
// that loops against a slow upstream is the very thing that the limits are for.
// But it has not been confirmed, so it keeps counting for the token that sent it
// only, until it leaves the window.
//
// # Replies
//
// A reply clears what came before it in time, whatever the order in which the
// gateway hears of them. So nothing is deleted when a reply arrives: the time of
// the reply is kept, and messages up to that time no longer count. A late or
// repeated report of a reply therefore clears nothing that is newer than the
// reply itself. A bot is never its own consumer: what it wrote resets the streak
// of other bots and not its own.
package loopguard

// Rule is one of the two limits.
type Rule uint8

// Identical limits equal messages, Consecutive messages without a reply.
const (
	Identical Rule = iota
	Consecutive
	RuleCount = 2
)

// LimitCount is how many limits there are, candidates included: the rules', and
// then the candidates' in the same order. Beside each rule there may be a candidate, a limit to try: it counts and refuses
// nothing, as a rule in shadow mode does, and is kept like a rule of its own.
const LimitCount = 2 * RuleCount

// String is the rule's name in metrics, logs and headers.
func (r Rule) String() string {
	return [LimitCount]string{"identical", "consecutive", "identical_shadow", "consecutive_shadow"}[r]
}

// Candidate is the name of the rule's candidate in metrics and logs.
func (r Rule) Candidate() string { return r.candidate().String() }

// candidate is the place of the rule's candidate.
func (r Rule) candidate() Rule { return r + RuleCount }

// live is the rule itself, or the one that a candidate stands beside.
func (r Rule) live() Rule { return r % RuleCount }
