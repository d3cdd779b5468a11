package loopguard

import "github.com/chatshipper/gateway/internal/digest"

// Message is what the guard needs to know of one message.
type Message struct {
	Conversation digest.ID // where it goes; that of an empty string when the message doesn't say
	Content      digest.ID // equal for two messages exactly when their contents are
	Contact      bool      // its role is "contact": it carries the words of a consumer
}

// Batch is the messages of one request. It owns the buffers that reading takes,
// so a Batch that is used again reads without allocating. It is not safe for
// concurrent use.
type Batch struct {
	Messages []Message // valid until the next Read
	parser   parser
}

// keptScratch is how large a buffer a Batch may hold on to between requests,
// and keptMessages how many messages; about 64 KiB each.
const (
	keptScratch  = 64 << 10
	keptMessages = keptScratch / 40
)

// Shrink lets go of buffers that a very large body has made, so that a pool of
// Batches doesn't hold the memory of the largest bodies it has seen. The
// messages are gone afterwards.
func (b *Batch) Shrink() {
	b.Messages = b.Messages[:0]
	if cap(b.Messages) > keptMessages {
		b.Messages = nil
	}
	b.parser.shrink()
}
