package loopguard

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// The canonical form of a value is a string of bytes that two values share
// exactly when JavaScript can't tell them apart: members sorted by their decoded
// key, no white space, strings decoded, numbers as float64. It is never parsed,
// only hashed; every value in it starts with a tag and says where it ends, so
// that no two values have the same form.
const (
	tagString = 's' // then the length in 4 bytes, then the text
	tagNumber = 'n' // then the float64 in 8 bytes
	tagTrue   = 't'
	tagFalse  = 'f'
	tagNull   = 'z'
	tagArray  = '[' // then the elements, then ]
	tagObject = '{' // then the members, a key as a string and its value, then }

	stringHead = 5 // bytes before the text of a string

	canonicalContact = "s\x07\x00\x00\x00contact"
)

// member is one key and value of an open object. Places are those in out, but
// for offset; they fit 32 bits because of maxText. It is small because members
// are sorted by moving them.
type member struct {
	prefix uint64 // first 8 bytes of the key, so that most comparisons need no more
	start  uint32 // of the key's tag
	keyEnd uint32
	end    uint32 // behind the value; start when the member doesn't count
	offset uint32 // of the key in the text
}

// key is the member's decoded key.
func (m *member) key(out []byte) []byte { return out[m.start+stringHead : m.keyEnd] }

func (m *member) counts() bool { return m.end > m.start }

// compare orders members by key.
func (m *member) compare(other *member, out []byte) int {
	if m.prefix != other.prefix {
		return cmp.Compare(m.prefix, other.prefix)
	}
	return bytes.Compare(m.key(out), other.key(out))
}

// prefixOf is the first 8 bytes of a key as a number that orders as they do. Of a short
// key it reads what memory holds behind it, if that is the key's to read, and clears it.
func prefixOf(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	beyond := 64 - 8*len(key)
	if cap(key) >= 8 {
		return binary.BigEndian.Uint64(key[:8]) >> beyond << beyond
	}
	var padded [8]byte
	copy(padded[:], key)
	return binary.BigEndian.Uint64(padded[:])
}

// closeObject puts the members of the innermost object in order, which brings
// equal keys together, and drops those that don't count. They are the members
// from index first on, and stand in out from base on.
func (p *parser) closeObject(first, base int) error {
	members := p.members[first:]
	inPlace, unique := p.sort(members)
	if !unique && !p.lenient {
		return p.firstDuplicate(members)
	}
	for i := range members {
		inPlace = inPlace && members[i].counts()
	}
	if !inPlace {
		p.rewrite(members, base)
	}
	p.members = p.members[:first]
	p.out = append(p.out, '}')
	return nil
}

// fewMembers is up to how many members insertion beats the general sort. A
// message has about ten fields, and its nested objects fewer.
const fewMembers = 16

// sort orders members by key, equal keys by place. It reports whether they were
// in order already, and whether each key is there but once.
func (p *parser) sort(members []member) (wasSorted, unique bool) {
	if len(members) > fewMembers {
		return false, sortMany(members, p.out)
	}
	wasSorted, unique = true, true
	for i := 1; i < len(members); i++ {
		order := members[i-1].compare(&members[i], p.out)
		if order < 0 {
			continue
		}
		m := members[i]
		j := i
		for ; order > 0; order = members[j-1].compare(&m, p.out) {
			members[j] = members[j-1]
			if j--; j == 0 {
				break
			}
		}
		members[j] = m
		wasSorted, unique = wasSorted && j == i, unique && order != 0
	}
	return wasSorted, unique
}

func sortMany(members []member, out []byte) (unique bool) {
	slices.SortFunc(members, func(a, b member) int {
		return cmp.Or(a.compare(&b, out), cmp.Compare(a.offset, b.offset))
	})
	for i := 1; i < len(members); i++ {
		if members[i-1].compare(&members[i], out) == 0 {
			return false
		}
	}
	return true
}

// rewrite replaces the members, which stand in out from base on, by those that
// count, in order.
func (p *parser) rewrite(members []member, base int) {
	p.sorted = p.sorted[:0]
	for i := range members {
		if m := &members[i]; m.counts() {
			p.sorted = append(p.sorted, p.out[m.start:m.end]...)
		}
	}
	p.out = append(p.out[:base], p.sorted...)
}

// firstDuplicate is the error for the first key, in the order of the text, that
// its object has had before.
func (p *parser) firstDuplicate(sorted []member) error {
	var found *member
	for i := 1; i < len(sorted); i++ {
		m := &sorted[i]
		if sorted[i-1].compare(m, p.out) == 0 && (found == nil || m.offset < found.offset) {
			found = m
		}
	}
	return duplicate(found.key(p.out), int(found.offset))
}
