package loopguard

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/chatshipper/gateway/internal/digest"
)

// value is a JSON value that tests make and spell: exactly one field is used.
type value struct {
	word    string   // true, false, null
	number  []string // spellings of one number
	text    []uint16 // UTF-16, as JavaScript has it
	list    []value
	members []pair
	kind    byte // w, n, s, a, o
}

type pair struct {
	key   []uint16
	value value
}

func text(s string) value { return value{kind: 's', text: utf16.Encode([]rune(s))} }

var numbers = [][]string{
	{"0", "-0", "0.0", "0e5", "-0.0e-1", "1e-400"},
	{"1", "1.0", "1e0", "10e-1", "0.1e1"},
	{"-1", "-1.0", "-10E-1"},
	{"1500", "1.5e3", "1500.00", "15E+2"},
	{"9007199254740992", "9007199254740993"},
	{"0.1", "1e-1", "0.10000000000000000555"},
	{"1e400", "1e500"},
	{"-1e400", "-1e999"},
	{"1e300"},
	{"5e-324", "4.9e-324"},
	{"123456789012345"},
	{"1234567890123456789", "1234567890123456768", "1234567890123456789.0"},
	{"12345678901234567890", "12345678901234567890.0"},
	{"-99999999999999999", "-99999999999999999e0"},
}

// alphabet has characters of every length in UTF-8, those that need escapes, and
// lone surrogates.
var alphabet = []uint16{'a', 'b', 'c', ' ', '"', '\\', '/', '\n', '\t', 0, 0x1f, 0x7f, 0xe9, 0x7ff, 0x800, 0x2028, 0xfffd, 0xffff, 0xfeff, 0xd83d, 0xde00, 0xd800, 0xdfff}

func randomText(rng *rand.Rand) []uint16 {
	if rng.IntN(3) == 0 {
		return utf16.Encode([]rune([]string{"text", "role", "type", "meta", "contact", "conversation", "delay", "user"}[rng.IntN(8)]))
	}
	units := make([]uint16, rng.IntN(12))
	for i := range units {
		units[i] = alphabet[rng.IntN(len(alphabet))]
	}
	return units
}

func randomValue(rng *rand.Rand, depth int) value {
	kinds := "wnsaso"
	if depth > 3 {
		kinds = "wns"
	}
	v := value{kind: kinds[rng.IntN(len(kinds))]}
	switch v.kind {
	case 'w':
		v.word = []string{"true", "false", "null"}[rng.IntN(3)]
	case 'n':
		v.number = numbers[rng.IntN(len(numbers))]
	case 's':
		v.text = randomText(rng)
	case 'a':
		for range rng.IntN(4) {
			v.list = append(v.list, randomValue(rng, depth+1))
		}
	case 'o':
		v.members = randomMembers(rng, depth)
	}
	return v
}

// randomMembers has different keys, and now and then more than are sorted by
// insertion.
func randomMembers(rng *rand.Rand, depth int) (members []pair) {
	n := rng.IntN(5)
	if rng.IntN(20) == 0 {
		n = fewMembers + rng.IntN(10)
	}
	for range n {
		key := randomText(rng)
		if !slices.ContainsFunc(members, func(p pair) bool { return slices.Equal(p.key, key) }) {
			members = append(members, pair{key, randomValue(rng, depth+1)})
		}
	}
	return members
}

func randomMessage(rng *rand.Rand) value {
	m := value{kind: 'o', members: randomMembers(rng, 1)}
	for i := range m.members {
		if string(utf16.Decode(m.members[i].key)) == fieldConversation {
			m.members[i].value = text([]string{"", "a", "b", "65aa0e00aabbccddeeff0001", "65AA0E00aabbccddeeff0001"}[rng.IntN(5)])
		}
	}
	return m
}

// spell writes v in one of the many ways that mean the same.
func spell(rng *rand.Rand, v value) string {
	var b strings.Builder
	spellSpace(rng, &b)
	spellValue(rng, &b, v)
	spellSpace(rng, &b)
	return b.String()
}

func spellSpace(rng *rand.Rand, b *strings.Builder) {
	if rng.IntN(4) == 0 {
		b.WriteString([]string{" ", "\n", "\t", "\r\n", "    "}[rng.IntN(5)])
	}
}

func spellValue(rng *rand.Rand, b *strings.Builder, v value) {
	switch v.kind {
	case 'w':
		b.WriteString(v.word)
	case 'n':
		b.WriteString(v.number[rng.IntN(len(v.number))])
	case 's':
		spellText(rng, b, v.text)
	case 'a':
		b.WriteByte('[')
		for i, element := range v.list {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(spell(rng, element))
		}
		b.WriteByte(']')
	case 'o':
		b.WriteByte('{')
		for i, at := range rng.Perm(len(v.members)) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(spell(rng, value{kind: 's', text: v.members[at].key}) + ":" + spell(rng, v.members[at].value))
		}
		b.WriteByte('}')
	}
}

var shortEscapes = map[uint16]string{'"': `\"`, '\\': `\\`, '/': `\/`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

func spellText(rng *rand.Rand, b *strings.Builder, units []uint16) {
	b.WriteByte('"')
	for i := 0; i < len(units); i++ {
		u := units[i]
		paired := i+1 < len(units) && utf16.DecodeRune(rune(u), rune(units[i+1])) != 0xFFFD
		mustEscape := u < 0x20 || u == '"' || u == '\\' || utf16.IsSurrogate(rune(u)) && !paired
		short, hasShort := shortEscapes[u]
		switch choice := rng.IntN(4); {
		case hasShort && choice < 2:
			b.WriteString(short)
		case mustEscape || choice == 3:
			fmt.Fprintf(b, []string{`\u%04x`, `\u%04X`}[rng.IntN(2)], u)
		case paired:
			b.WriteRune(utf16.DecodeRune(rune(u), rune(units[i+1])))
			i++
		default:
			b.WriteRune(rune(u))
		}
		if paired && i+1 < len(units) && u == units[i] { // the high half was escaped: so must be the low one
			i++
			fmt.Fprintf(b, `\u%04x`, units[i])
		}
	}
	b.WriteByte('"')
}

// plainly is the one plain spelling of what a value means, made without the code
// under test.
func plainly(v value) string {
	switch v.kind {
	case 'w':
		return v.word
	case 'n':
		return "n" + v.number[0]
	case 's':
		return fmt.Sprintf("%x", v.text)
	}
	var parts []string
	for _, element := range v.list {
		parts = append(parts, plainly(element))
	}
	for _, member := range v.members {
		parts = append(parts, fmt.Sprintf("%x:", member.key)+plainly(member.value))
	}
	if v.kind == 'o' {
		slices.Sort(parts)
	}
	return string(v.kind) + "(" + strings.Join(parts, ",") + ")"
}

// contentOf drops what doesn't count.
func contentOf(m value) value {
	return value{kind: 'o', members: slices.DeleteFunc(slices.Clone(m.members), func(p pair) bool {
		key := string(utf16.Decode(p.key))
		return key == fieldConversation || key == "delay"
	})}
}

// change alters one thing somewhere inside v.
func change(rng *rand.Rand, v value) value {
	switch {
	case v.kind == 'o' && len(v.members) > 0 && rng.IntN(4) > 0:
		v.members = slices.Clone(v.members)
		i := rng.IntN(len(v.members))
		if rng.IntN(6) == 0 {
			v.members[i].key = append(slices.Clone(v.members[i].key), 'x')
			return v
		}
		v.members[i].value = change(rng, v.members[i].value)
		return v
	case v.kind == 'a' && len(v.list) > 0 && rng.IntN(4) > 0:
		v.list = slices.Clone(v.list)
		i := rng.IntN(len(v.list))
		v.list[i] = change(rng, v.list[i])
		if j := rng.IntN(len(v.list)); rng.IntN(3) == 0 {
			v.list[i], v.list[j] = v.list[j], v.list[i]
		}
		return v
	}
	return randomValue(rng, 3)
}

func TestSpellingNeverMattersAndEveryValueDoes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	r := NewReader(DefaultConfig(), digest.NewHasher(""))
	var batch Batch
	read := func(body string) Message {
		t.Helper()
		if err := r.Read(&batch, []byte(body), nil); err != nil || len(batch.Messages) != 1 {
			t.Fatalf("%q: %d messages, %v", body, len(batch.Messages), err)
		}
		return batch.Messages[0]
	}
	changed := 0
	for range 2500 {
		m := randomMessage(rng)
		first := spell(rng, m)
		want := read(first)
		for range 3 {
			if other := spell(rng, m); read(other) != want {
				t.Fatalf("the same message in two spellings differs:\n%q\n%q", first, other)
			}
		}
		other := change(rng, contentOf(m))
		if other = contentOf(other); plainly(other) == plainly(contentOf(m)) {
			continue
		}
		changed++
		if body := spell(rng, other); read(body).Content == want.Content {
			t.Fatalf("two messages that differ have one content:\n%q\n%q", first, body)
		}
	}
	if changed < 1000 {
		t.Errorf("only %d messages were changed", changed)
	}
}
