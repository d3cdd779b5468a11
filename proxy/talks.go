package proxy

import (
	"cmp"
	"slices"
	"sync"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/loopguard"
)

// Messages are counted by digests of a bot in a conversation, of which neither can
// be told any more. So whoever comes near a message limit, or beyond it, is
// remembered here by name; while somebody watches, so is every bot that writes.
// How they stand is then asked of the guard.

const (
	talkBuckets = 256 // with a lock each
	talkPlaces  = 8   // in each: all texts of a bot in a conversation share a bucket
	// mostOverheard bounds what of one batch is remembered.
	mostOverheard = 16
)

// talk is a text of a bot in a conversation.
type talk struct {
	bot, token, conversation, content digest.ID
	heard                             int64 // process time of the last message, ns; 0: the place is free
	refusedAt, refusedUntil           int64 // since when, and as it looked then until when; 0: it was not
	refused                           uint64
}

// talks remembers up to 2048 of them in fixed memory.
type talks struct {
	buckets [talkBuckets]struct {
		mu    sync.Mutex
		talks [talkPlaces]talk
	}
}

// overhear remembers the request's messages, if they are near a limit or somebody
// watches.
func (x *exchange) overhear() {
	v := &x.verdict
	near := !v.Admitted
	for rule := range v.States {
		near = near || v.States[rule].Near || v.States[rule].Over
	}
	if !near && !x.g.ledger.watched.Load() {
		return
	}
	until := int64(0)
	if !v.Admitted && !v.TooMany {
		until = x.now + int64(v.Wait)
	}
	for i := range x.batch.Messages[:min(len(x.batch.Messages), mostOverheard)] {
		m := &x.batch.Messages[i]
		x.g.talks.add(talk{bot: x.who.User, token: x.who.Key, conversation: m.Conversation, content: m.Content, heard: x.now}, until)
	}
}

// add remembers a message that was refused until a time, or was not (0).
func (t *talks) add(heard talk, until int64) {
	b := &t.buckets[heard.bot.Join(heard.conversation).Hi%talkBuckets]
	b.mu.Lock()
	defer b.mu.Unlock()
	p, known := &b.talks[0], false
	for i := range b.talks {
		u := &b.talks[i]
		if known = u.bot == heard.bot && u.conversation == heard.conversation && u.content == heard.content; known {
			p = u
			break
		}
		if u.before(p) {
			p = u
		}
	}
	if heard.refusedUntil = until; until != 0 {
		heard.refusedAt, heard.refused = heard.heard, 1
		if known && p.refusedUntil > heard.heard { // still the same block
			heard.refusedAt, heard.refused = p.refusedAt, p.refused+1
		}
	}
	*p = heard
}

// before reports whether t makes room before u: a free place first, then what is
// refused for the shortest time, then what was heard of the longest ago.
func (t *talk) before(u *talk) bool {
	return cmp.Or(cmp.Compare(t.refusedUntil, u.refusedUntil), cmp.Compare(t.heard, u.heard)) < 0
}

// latest returns at most so many, the refused first, then the latest.
func (t *talks) latest(most int) (list []talk) {
	for i := range t.buckets {
		b := &t.buckets[i]
		b.mu.Lock()
		for j := range b.talks {
			if b.talks[j].heard != 0 {
				list = append(list, b.talks[j])
			}
		}
		b.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b talk) int {
		return cmp.Or(cmp.Compare(b.refusedUntil, a.refusedUntil), cmp.Compare(b.heard, a.heard))
	})
	return list[:min(most, len(list))]
}

// find resolves the digest of a conversation that is remembered.
func (t *talks) find(short string) (conversation digest.ID, ok bool) {
	for _, heard := range t.latest(talkBuckets * talkPlaces) {
		if heard.conversation.Short() == short {
			return heard.conversation, true
		}
	}
	return digest.ID{}, false
}

// look asks how a talk stands with the rules. An error says that a shared store
// can't be asked; what is told then is what this gateway counts alone.
func (g *Gateway) look(now int64, t *talk) ([]loopguard.Standing, error) {
	from := loopguard.Sender{Bot: t.bot, Token: t.token}
	message := loopguard.Message{Conversation: t.conversation, Content: t.content}
	if g.stores.Shared == nil {
		return g.stores.OwnMessages.Look(now, g.rules.Load().guard, from, message), nil
	}
	return g.stores.Shared.LookMessages(now, g.rules.Load().guard, from, message)
}
