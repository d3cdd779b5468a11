package loopguard

import (
	"cmp"
	"slices"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// model is the guard as one would write it down without any thought of speed or
// memory: a list of all messages and a list of all replies, both kept for ever.
type model struct {
	rules   *Rules
	sent    []*sentMessage
	replies []modelReply
	refused map[modelKey]int64 // last refusal, unless something was admitted since
	latest  map[uint]int64     // latest time that each shard was told
	present map[uint]int64     // the same, but after every reply
	adopted map[uint]bool      // shards that have seen the rules; the others go by the documented ones
}

type outcome uint8

const (
	inFlight outcome = iota // or unknown: it counts for its token
	created
	undone
)

type sentMessage struct {
	from    Sender
	message Message
	at      int64
	outcome outcome
	counted [RuleCount]bool
}

type modelReply struct {
	conversation, author digest.ID
	at                   int64
}

// modelKey is what a rule counts by; content is zero for Consecutive.
type modelKey struct {
	rule                       Rule
	bot, conversation, content digest.ID
}

func newModel(rules *Rules) *model {
	return &model{rules: rules, refused: map[modelKey]int64{}, latest: map[uint]int64{}, present: map[uint]int64{}, adopted: map[uint]bool{}}
}

func keyOf(rule Rule, bot digest.ID, m Message) modelKey {
	k := modelKey{rule: rule, bot: bot, conversation: m.Conversation}
	if rule == Identical {
		k.content = m.Content
	}
	return k
}

// enter is the present of some conversations.
func (m *model) enter(now int64, messages ...Message) int64 {
	present := now
	for _, message := range messages {
		present = max(present, m.present[shardOf(message.Conversation)])
	}
	for _, message := range messages {
		shard := shardOf(message.Conversation)
		m.latest[shard], m.present[shard] = max(m.latest[shard], now), present
	}
	return present
}

func (m *model) adopt(messages []Message) {
	for _, message := range messages {
		m.adopted[shardOf(message.Conversation)] = true
	}
}

// since is the last reply to a bot that it didn't write itself.
func (m *model) since(conversation, bot digest.ID) int64 {
	last := int64(never)
	for _, r := range m.replies {
		if r.conversation == conversation && (r.author == person || r.author != bot) {
			last = max(last, r.at)
		}
	}
	return last
}

// counting is the times under a key that count for a token at a time, oldest
// first. Of the confirmed ones no more than the limit: more say nothing new.
func (m *model) counting(k modelKey, token digest.ID, now int64) []int64 {
	limit := m.rules.limits[k.rule]
	var confirmed, flying []int64
	for _, s := range m.sent {
		counts := s.counted[k.rule] && keyOf(k.rule, s.from.Bot, s.message) == k && now-s.at < int64(limit.Window)
		if k.rule == Consecutive {
			counts = counts && s.at > m.since(k.conversation, k.bot)
		}
		switch {
		case counts && s.outcome == created:
			confirmed = append(confirmed, s.at)
		case counts && s.outcome == inFlight && s.from.Token == token:
			flying = append(flying, s.at)
		}
	}
	slices.Sort(confirmed)
	times := slices.Concat(flying, confirmed[max(0, len(confirmed)-limit.Messages):])
	slices.Sort(times)
	return times
}

func (m *model) reserve(now int64, from Sender, messages []Message) (Decision, []*sentMessage) {
	now = m.enter(now, messages...)
	m.adopt(messages)
	var states [LimitCount]State
	groups := m.groups(from, messages)
	for rule := range states[:RuleCount] {
		states[rule].Limit = m.rules.limits[rule]
	}
	for _, g := range groups {
		state := m.weigh(g.key, g.messages, from.Token, now)
		states[g.key.rule].add(&state)
	}
	for rule := range states[:RuleCount] {
		s := &states[rule]
		s.Near = !s.Over && s.Limit.Messages > 0 && float64(s.Used) >= 0.8*float64(s.Limit.Messages)
	}
	d := decide(&states)
	if !d.Admitted {
		return d, nil
	}
	var sent []*sentMessage
	for _, message := range messages {
		s := &sentMessage{from: from, message: message, at: now}
		for rule := range states[:RuleCount] {
			s.counted[rule] = states[rule].Limit.Messages > 0 && !states[rule].Over
			if s.counted[rule] {
				delete(m.refused, keyOf(Rule(rule), from.Bot, message))
			}
		}
		sent = append(sent, s)
	}
	m.sent = append(m.sent, sent...)
	return d, sent
}

type modelGroup struct {
	key      modelKey
	messages int
}

// groups counts the messages of a batch by what the rules count by, in the order
// in which the guard looks at them: of two keys that are equally near to the
// limit, the first is reported.
func (m *model) groups(from Sender, messages []Message) (groups []modelGroup) {
	for rule, limit := range m.rules.limits {
		for _, message := range messages {
			key := keyOf(Rule(rule), from.Bot, message)
			i := slices.IndexFunc(groups, func(g modelGroup) bool { return g.key == key })
			if i < 0 && limit.Messages > 0 {
				groups = append(groups, modelGroup{key: key})
				i = len(groups) - 1
			}
			if i >= 0 {
				groups[i].messages++
			}
		}
	}
	// What the consecutive rule can never admit is not compared.
	hopeless := func(g modelGroup) bool {
		limit := m.rules.limits[Consecutive]
		same := func(o modelGroup) bool {
			return o.key.rule == Consecutive && o.key.conversation == g.key.conversation && o.messages > limit.Messages
		}
		return g.key.rule == Identical && !limit.Shadow && slices.ContainsFunc(groups, same)
	}
	groups = slices.DeleteFunc(slices.Clone(groups), hopeless)
	slices.SortFunc(groups, func(a, b modelGroup) int {
		return cmp.Or(compareIDs(a.key.conversation, b.key.conversation), compareIDs(a.key.content, b.key.content))
	})
	return groups
}

func (m *model) weigh(k modelKey, n int, token digest.ID, now int64) State {
	limit := m.rules.limits[k.rule]
	times := m.counting(k, token, now)
	s := State{Limit: limit, Used: len(times)}
	if len(times) > 0 {
		s.Reset = limit.Window - until(times[0], now)
	}
	if len(times)+n <= limit.Messages {
		s.Used += n
		s.Reset = cmp.Or(s.Reset, limit.Window)
		return s
	}
	s.Over = true
	if s.TooMany = n > limit.Messages; !s.TooMany {
		s.Wait = limit.Window - until(times[len(times)+n-limit.Messages-1], now)
	}
	if len(times) > 0 {
		last, ok := m.refused[k]
		s.Detected = !ok || now-last >= int64(limit.Window)
		m.refused[k] = now
	}
	return s
}

func (m *model) settle(sent []*sentMessage, o outcome) {
	for _, s := range sent {
		s.outcome = o
	}
}

func (m *model) charge(now int64, from Sender, messages []Message) {
	now = m.enter(now, messages...)
	m.adopt(messages)
	for _, message := range messages {
		s := &sentMessage{from: from, message: message, at: now, outcome: created}
		for rule := range s.counted {
			s.counted[rule] = m.rules.limits[rule].Messages > 0
		}
		m.sent = append(m.sent, s)
	}
}

func (m *model) reply(conversation, author digest.ID, at, now int64) (reset bool) {
	at = min(at, now)
	window, precision := time.Hour, int64(2048)
	if m.adopted[shardOf(conversation)] && m.rules.limits[Consecutive].Window != time.Hour {
		window, precision = m.rules.limits[Consecutive].Window, 1
	}
	shard := shardOf(conversation)
	present := m.enter(now, Message{Conversation: conversation})
	if at == m.latest[shard] {
		at = present
	}
	m.present[shard] = max(present, at+precision)
	now = m.present[shard]
	if at <= now-int64(window) {
		return false
	}
	// It is news when it moves the last reply for anybody: for its author's own
	// sake it can't, so any other name stands for all other bots.
	bots := []digest.ID{idOf("a bot that never wrote")}
	for _, r := range m.replies {
		bots = append(bots, r.author)
	}
	before := make([]int64, len(bots))
	for i, bot := range bots {
		before[i] = m.since(conversation, bot)
	}
	m.replies = append(m.replies, modelReply{conversation, author, at})
	for i, bot := range bots {
		reset = reset || bot != person && m.since(conversation, bot) > before[i]
	}
	return reset
}
