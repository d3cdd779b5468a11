package loopguard

import (
	"math"
	"unsafe"

	"github.com/chatshipper/gateway/internal/digest"
)

// never is before every time.
const never = math.MinInt64

// reply is what is known of the replies in one conversation: the newest one, and
// the newest one by somebody else, because an author's reply means nothing to
// the author. Two are enough for every bot: for each but the newest one's author
// the newest counts, for that author the other.
type reply struct {
	conversation digest.ID // zero: the slot is free
	author       digest.ID // of the newest; zero: a person, who is no bot's self
	newest       int64
	other        int64 // newest of anybody but author; means nothing when that is a person
}

const (
	replyBytes    = int64(unsafe.Sizeof(reply{}))
	fewestReplies = 8  // slots of the smallest table
	lookForRoom   = 32 // slots looked at for a dead reply when the table is full
	lookForDead   = 2  // slots looked at for a dead reply on each insertion
)

// replies maps conversations to their replies: an open-addressed table without a
// pointer in it. It grows up to a fixed number of slots; then the oldest of a
// few replies makes room. Conversations are keyed digests, so their bits need no
// further hashing.
type replies struct {
	slots   []reply // length is a power of two
	used    int
	most    int // slots
	hand    int // where the search for dead replies goes on
	evicted uint64
}

// newReplies returns a table of at most maxBytes, or of the smallest size.
func newReplies(maxBytes int64) replies {
	most := fewestReplies
	for int64(most)*2*replyBytes <= maxBytes {
		most *= 2
	}
	return replies{most: most}
}

func (r *replies) bytes() int64 { return int64(cap(r.slots)) * replyBytes }

// since is the time of the last reply to a bot in a conversation.
func (r *replies) since(conversation, bot digest.ID) int64 {
	i, ok := r.find(conversation)
	if !ok {
		return never
	}
	if s := &r.slots[i]; s.author.IsZero() || s.author != bot {
		return s.newest
	}
	return r.slots[i].other
}

// add learns of a reply. It reports whether that is news to any bot: a repeated
// reply, or one older than the last, is none. Replies up to expired matter no
// more.
func (r *replies) add(conversation, author digest.ID, at, expired int64) (news bool) {
	if at <= expired || conversation.IsZero() {
		return false
	}
	if i, ok := r.find(conversation); ok {
		return r.slots[i].learn(author, at)
	}
	r.makeRoom(expired)
	i, _ := r.find(conversation)
	r.slots[i] = reply{conversation: conversation, author: author, newest: at, other: never}
	r.used++
	return true
}

// learn takes one more reply into account.
func (s *reply) learn(author digest.ID, at int64) (news bool) {
	switch {
	case at > s.newest:
		if author != s.author {
			s.author, s.other = author, s.newest
		}
		s.newest = at
	case !s.author.IsZero() && author != s.author && at > s.other:
		s.other = at
	default:
		return false
	}
	return true
}

// find returns the slot of a conversation, or the free slot where it belongs.
func (r *replies) find(conversation digest.ID) (slot int, ok bool) {
	if len(r.slots) == 0 {
		return 0, false
	}
	for i := r.home(conversation); ; i = r.after(i) {
		switch r.slots[i].conversation {
		case conversation:
			return i, !conversation.IsZero()
		case digest.ID{}:
			return i, false
		}
	}
}

func (r *replies) home(conversation digest.ID) int {
	return int(conversation.Lo & uint64(len(r.slots)-1))
}

func (r *replies) after(slot int) int { return (slot + 1) & (len(r.slots) - 1) }

// isFull reports whether three quarters of the slots are taken: more would make
// the searches long.
func (r *replies) isFull() bool { return r.used >= len(r.slots)/4*3 }

// makeRoom sees to it that one more conversation fits.
func (r *replies) makeRoom(expired int64) {
	if len(r.slots) > 0 {
		r.sweep(lookForDead, expired)
	}
	if r.isFull() && len(r.slots) < r.most {
		r.grow(expired)
	}
	if r.isFull() {
		r.sweep(lookForRoom, expired)
	}
	if r.isFull() {
		r.evict()
	}
}

// grow doubles the table and leaves the dead behind.
func (r *replies) grow(expired int64) {
	old := r.slots
	r.slots, r.used, r.hand = make([]reply, max(fewestReplies, 2*len(old))), 0, 0
	for i := range old {
		if old[i].conversation.IsZero() || old[i].newest <= expired {
			continue
		}
		slot, _ := r.find(old[i].conversation)
		r.slots[slot] = old[i]
		r.used++
	}
}

// sweep looks at the next n slots and frees those of dead replies.
func (r *replies) sweep(n int, expired int64) {
	for range min(n, len(r.slots)) {
		if s := &r.slots[r.hand]; !s.conversation.IsZero() && s.newest <= expired {
			r.free(r.hand) // what moves here is looked at next
		} else {
			r.hand = r.after(r.hand)
		}
	}
}

// evict frees the oldest of the next few replies, which is live.
func (r *replies) evict() {
	oldest := -1
	for looked := 0; looked < lookForRoom || oldest < 0; looked++ {
		if s := &r.slots[r.hand]; !s.conversation.IsZero() && (oldest < 0 || s.newest < r.slots[oldest].newest) {
			oldest = r.hand
		}
		r.hand = r.after(r.hand)
	}
	r.free(oldest)
	r.evicted++
}

// free empties a slot and moves back what would no longer be found behind it.
func (r *replies) free(slot int) {
	r.used--
	mask := len(r.slots) - 1
	for next := r.after(slot); !r.slots[next].conversation.IsZero(); next = r.after(next) {
		// How far an entry is from its home says whether it may move to slot.
		if home := r.home(r.slots[next].conversation); (next-home)&mask >= (next-slot)&mask {
			r.slots[slot] = r.slots[next]
			slot = next
		}
	}
	r.slots[slot] = reply{}
}
