package loopguard

import "github.com/chatshipper/gateway/internal/digest"

// maxDepth is how many arrays and objects may be open at once. It keeps the
// recursion shallow, here and in the upstream: Express answers 500 at 5,000.
const maxDepth = 32

// maxDepthLenient is the same for answers of the upstream.
const maxDepthLenient = 1024

// maxText is the longest text, in bytes. A canonical form is at most 5 times as
// long as its text, so that places in it fit 32 bits.
const maxText = 256 << 20

// parser reads one JSON text in one pass and writes the canonical form of its
// values to out. It keeps its buffers from one text to the next.
type parser struct {
	in      []byte
	pos     int
	out     []byte
	members []member // of the objects that are open, outermost first
	sorted  []byte   // scratch: the members of one object in order

	reader   *Reader
	batch    *Batch
	path     digest.ID // conversation of the request's path
	hasPath  bool
	embedded bool // the messages are inside a new conversation
	current  Message

	lenient bool   // reads an answer: duplicate keys, bad UTF-8 and depth are the upstream's affair
	id      []byte // the answer's id
}

// begin readies the parser for a text.
func (p *parser) begin(in []byte) {
	p.in, p.pos = in, 0
	p.out, p.members = p.out[:0], p.members[:0]
	p.hasPath, p.embedded = false, false
}

// end lets go of what the parser has borrowed.
func (p *parser) end() { p.in, p.reader, p.batch = nil, nil, nil }

func (p *parser) shrink() {
	if cap(p.out)+cap(p.sorted) > keptScratch {
		p.out, p.sorted = nil, nil
	}
	if cap(p.members) > keptMessages {
		p.members = nil
	}
}

// value reads any value inside a container of the given depth.
func (p *parser) value(depth int) error {
	switch p.peek() {
	case '"':
		return p.text()
	case '{':
		return p.object(depth+1, (*parser).anyField)
	case '[':
		return p.array(depth + 1)
	case 't':
		return p.literal("true", tagTrue)
	case 'f':
		return p.literal("false", tagFalse)
	case 'n':
		return p.literal("null", tagNull)
	}
	return p.number()
}

func (p *parser) anyField(_ []byte, depth int) (counts bool, err error) {
	return true, p.value(depth)
}

func (p *parser) literal(word string, tag byte) error {
	for i := range len(word) {
		if p.peek() != word[i] {
			return p.unexpected()
		}
		p.pos++
	}
	p.out = append(p.out, tag)
	return nil
}

func (p *parser) array(depth int) error {
	if err := p.descend(depth, tagArray); err != nil {
		return err
	}
	if p.peek() == ']' {
		p.pos++
		p.out = append(p.out, ']')
		return nil
	}
	for {
		if err := p.value(depth); err != nil {
			return err
		}
		if more, err := p.next(']'); !more {
			p.out = append(p.out, ']')
			return err
		}
	}
}

// object reads an object. read is called with every decoded key to read the
// value behind it, and says whether the member belongs to the canonical form.
func (p *parser) object(depth int, read func(p *parser, key []byte, depth int) (counts bool, err error)) error {
	if err := p.descend(depth, tagObject); err != nil {
		return err
	}
	if p.peek() == '}' {
		p.pos++
		p.out = append(p.out, '}')
		return nil
	}
	first, base := len(p.members), len(p.out)
	for {
		i, err := p.memberKey()
		if err != nil {
			return err
		}
		counts, err := read(p, p.members[i].key(p.out), depth)
		if err != nil {
			return err
		}
		if counts {
			p.members[i].end = uint32(len(p.out))
		}
		if more, err := p.next('}'); err != nil {
			return err
		} else if !more {
			return p.closeObject(first, base)
		}
	}
}

// memberKey reads a key and the colon behind it, and opens a member, of which it
// returns the index.
func (p *parser) memberKey() (int, error) {
	start, offset := len(p.out), p.pos
	if p.peek() != '"' {
		return 0, p.unexpected()
	}
	if err := p.text(); err != nil {
		return 0, err
	}
	if p.space(); p.peek() != ':' {
		return 0, p.unexpected()
	}
	p.pos++
	p.space()
	p.members = append(p.members, member{
		prefix: prefixOf(p.out[start+stringHead:]),
		start:  uint32(start), keyEnd: uint32(len(p.out)), end: uint32(start), offset: uint32(offset),
	})
	return len(p.members) - 1, nil
}

// descend steps into a container.
func (p *parser) descend(depth int, tag byte) error {
	if depth > maxDepth && (!p.lenient || depth > maxDepthLenient) {
		return p.fail("nested deeper than 32 levels")
	}
	p.pos++
	p.space()
	p.out = append(p.out, tag)
	return nil
}

// next steps over what follows an element: a comma, or the closing byte, after
// which there is no more.
func (p *parser) next(closing byte) (more bool, err error) {
	p.space()
	switch p.peek() {
	case ',':
		p.pos++
		p.space()
		return true, nil
	case closing:
		p.pos++
		return false, nil
	}
	return false, p.unexpected()
}
