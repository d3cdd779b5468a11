package loopguard

import (
	"slices"
	"unicode/utf8"

	"github.com/chatshipper/gateway/internal/digest"
)

// The fields of a message, of a conversation and of an answer that the guard
// looks at. Names are compared as JavaScript compares them: exactly.
const (
	fieldConversation = "conversation"
	fieldRole         = "role"
	fieldMessages     = "messages"
	fieldID           = "id"
)

// Reader reads the bodies that create messages. It is immutable and safe for
// concurrent use.
type Reader struct {
	hasher *digest.Hasher
	ignore []string
	nobody digest.ID // the conversation of a message that names none
}

// NewReader returns a Reader that leaves the configured fields out of a
// message's content. Bot and token IDs must come from the same Hasher.
func NewReader(cfg Config, h *digest.Hasher) *Reader {
	return &Reader{hasher: h, ignore: slices.Clone(cfg.Identical.IgnoreFields), nobody: h.Sum(nil)}
}

// Read fills dst with the messages of a body: one JSON object, or an array of
// objects. pathConversation is the decoded conversation id of the request's
// path, empty when the route has none.
//
// A body is read as JSON.parse of Node.js reads it, but for what no honest
// client sends and what two parsers could read differently, which is an error:
// a top-level scalar, an array element that is no object, a duplicate key at any
// depth, invalid UTF-8, more than 32 levels of nesting, a conversation that is
// no string, or one that differs from the path's. A leading UTF-8 byte order
// mark is skipped, as Express does. Every error is a *ReadError.
func (r *Reader) Read(dst *Batch, body, pathConversation []byte) error {
	p := dst.start(body)
	if len(pathConversation) > 0 {
		p.path, p.hasPath = r.Conversation(pathConversation), true
	}
	return p.document(r, dst, (*parser).messages)
}

// ReadEmbedded fills dst with the top-level `messages` of a body that creates a
// conversation: one JSON object. They are read as Read reads them, but their
// Conversation stays zero. No messages, or null, is an empty batch.
func (r *Reader) ReadEmbedded(dst *Batch, body []byte) error {
	return dst.start(body).document(r, dst, (*parser).envelope)
}

// Conversation is the ID of a decoded conversation id: from a path, an answer or
// a webhook event. ChatShipper's ids are 24 hex digits, which its database reads
// in either case, so both cases are one conversation here too.
func (r *Reader) Conversation(id []byte) digest.ID {
	var folded [objectIDLength]byte
	if len(id) != objectIDLength || !foldHex(&folded, id) {
		return r.hasher.Sum(id)
	}
	return r.hasher.Sum(folded[:])
}

const objectIDLength = 24

// foldHex writes id in lower case; false when it isn't made of hex digits.
func foldHex(dst *[objectIDLength]byte, id []byte) bool {
	for i := range dst {
		if !isHex(id[i]) {
			return false
		}
		dst[i] = id[i]
		if id[i] >= 'A' {
			dst[i] |= 0x20
		}
	}
	return true
}

// ReadConversationID finds the top-level string `id` of an upstream's answer and
// returns it decoded. The answer has to be JSON, but is not held to more than
// that: the last of two ids wins, as in JavaScript. ok is false without one.
func ReadConversationID(answer []byte) (id []byte, ok bool) {
	p := parser{lenient: true}
	p.begin(answer)
	if p.document(nil, nil, (*parser).answer) != nil || p.id == nil {
		return nil, false
	}
	return p.id, true
}

// ConversationOf is the Conversation of the id that ReadConversationID finds.
func (r *Reader) ConversationOf(answer []byte) (digest.ID, bool) {
	id, ok := ReadConversationID(answer)
	if !ok {
		return digest.ID{}, false
	}
	return r.Conversation(id), true
}

// start readies a batch for a new body.
func (b *Batch) start(body []byte) *parser {
	b.Messages = b.Messages[:0]
	b.parser.begin(body)
	return &b.parser
}

// document reads the whole input: what read expects, and nothing after it.
func (p *parser) document(r *Reader, dst *Batch, read func(*parser) error) error {
	p.reader, p.batch = r, dst
	defer p.end()
	if len(p.in) > maxText {
		return p.failAt(maxText, "longer than 256 MiB")
	}
	if !p.lenient && !utf8.Valid(p.in) {
		return p.failAt(invalidUTF8(p.in), "invalid UTF-8")
	}
	p.skipBOM()
	p.space()
	if err := read(p); err != nil {
		return err
	}
	if p.space(); p.pos < len(p.in) {
		return p.unexpected()
	}
	return nil
}

// messages reads one message or an array of messages.
func (p *parser) messages() error {
	if p.peek() == '[' {
		return p.messageArray(1)
	}
	return p.message(1)
}

// messageArray reads an array in which everything is a message.
func (p *parser) messageArray(depth int) error {
	p.pos++
	if p.space(); p.peek() == ']' {
		p.pos++
		return nil
	}
	for {
		if err := p.message(depth + 1); err != nil {
			return err
		}
		if more, err := p.next(']'); !more {
			return err
		}
	}
}

// message reads one message and adds it to the batch.
func (p *parser) message(depth int) error {
	if p.peek() != '{' {
		return p.fail("expected a message, which is a JSON object,")
	}
	p.current = Message{Conversation: p.reader.nobody}
	if p.hasPath {
		p.current.Conversation = p.path
	}
	if p.embedded {
		p.current.Conversation = digest.ID{}
	}
	start := len(p.out)
	if err := p.object(depth, (*parser).messageField); err != nil {
		return err
	}
	p.current.Content = p.reader.hasher.Sum(p.out[start:])
	p.out = p.out[:start]
	p.batch.Messages = append(p.batch.Messages, p.current)
	return nil
}

// messageField reads one field of a message. It counts for the content unless it
// is the conversation or one of the ignored.
func (p *parser) messageField(key []byte, depth int) (counts bool, err error) {
	if string(key) == fieldConversation {
		return false, p.conversationField(depth)
	}
	counts = !slices.Contains(p.reader.ignore, string(key))
	isRole := string(key) == fieldRole
	start := len(p.out)
	err = p.value(depth)
	if isRole {
		p.current.Contact = string(p.out[start:]) == canonicalContact
	}
	return counts, err
}

// conversationField reads where a message goes. null is nowhere, as is no field.
func (p *parser) conversationField(depth int) error {
	at, start := p.pos, len(p.out)
	if err := p.value(depth); err != nil {
		return err
	}
	switch p.out[start] {
	case tagNull:
		return nil
	case tagString:
	default:
		return p.failAt(at, "the conversation is no string")
	}
	if p.embedded {
		return nil // it goes where the upstream puts it
	}
	p.current.Conversation = p.reader.Conversation(p.out[start+stringHead:])
	if p.hasPath && p.current.Conversation != p.path {
		return p.failAt(at, "the conversation is not the one in the path")
	}
	return nil
}

// envelope reads a new conversation and the messages in it.
func (p *parser) envelope() error {
	p.embedded = true
	if p.peek() != '{' {
		return p.fail("expected a conversation, which is a JSON object,")
	}
	return p.object(1, (*parser).envelopeField)
}

func (p *parser) envelopeField(key []byte, depth int) (counts bool, err error) {
	if string(key) != fieldMessages || p.peek() == 'n' {
		return true, p.value(depth)
	}
	if p.peek() != '[' {
		return false, p.fail("expected an array of messages")
	}
	return false, p.messageArray(depth + 1)
}

// answer reads an upstream's answer for its id.
func (p *parser) answer() error {
	if p.peek() != '{' {
		return p.fail("expected an object")
	}
	return p.object(1, (*parser).answerField)
}

func (p *parser) answerField(key []byte, depth int) (counts bool, err error) {
	isID, start := string(key) == fieldID, len(p.out)
	if err := p.value(depth); err != nil || !isID {
		return false, err
	}
	p.id = nil
	if p.out[start] == tagString {
		p.id = append([]byte{}, p.out[start+stringHead:]...)
	}
	return false, nil
}
