package identity

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// maxUserID bounds the ids that are believed, in bytes. ChatShipper's have 24
// hex digits.
const maxUserID = 256

// rank orders the words of ChatShipper's scopes. They cascade: who has one has
// the lower ones too, so the highest tells what a user is.
type rank uint8

const (
	unranked rank = iota // no word, or none that is known
	guest
	agent
	bot
	admin
)

var ranks = map[string]rank{"guest": guest, "viewer": guest, "agent": agent, "bot": bot, "admin": admin}

// role is Bot only where bot is the highest word. Nobody means that the words
// explain nothing.
func (r rank) role() Role {
	switch r {
	case unranked:
		return Nobody
	case bot:
		return Bot
	}
	return Human
}

// claims is what a token says about itself. The zero value says nothing.
type claims struct {
	user    string
	rank    rank
	expires int64 // in ns since 1970; forever when there is no readable exp
}

// role is Human only for a token that says so in words that are known. A JWT
// without them counts as a bot's, which is the safe reading: it must not open a
// way round the message limits.
func (c *claims) role() Role {
	if r := c.rank.role(); r != Nobody {
		return r
	}
	return Bot
}

// isJWT reports whether a token has the three parts of a signed JWT. Any other
// token is opaque.
func isJWT(token []byte) bool { return bytes.Count(token, []byte{'.'}) == 2 }

// readClaims reads the payload of a JWT without verifying its signature.
func readClaims(token []byte) claims {
	c := claims{expires: forever}
	_, rest, _ := bytes.Cut(token, []byte{'.'})
	payload, _, _ := bytes.Cut(rest, []byte{'.'})
	text, err := base64.RawURLEncoding.AppendDecode(nil, payload)
	if err != nil {
		return c
	}
	members, ok := readObject(text)
	if !ok {
		return c
	}
	c.user = readID(members["_id"])
	c.rank = readRank(members["scope"])
	c.expires = readTime(members["exp"])
	return c
}

// readObject reads the members of a JSON object as Node.js does: their names
// exactly, and of two with one name the last. A struct would not do:
// encoding/json also takes "_ID" and "SCOPE" for its fields.
func readObject(text []byte) (map[string]json.RawMessage, bool) {
	var members map[string]json.RawMessage
	err := json.Unmarshal(text, &members)
	return members, err == nil && members != nil
}

func readString(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// readID reads a user's id; one that is too long is none.
func readID(raw json.RawMessage) string {
	if id := readString(raw); len(id) <= maxUserID {
		return id
	}
	return ""
}

// readRank returns the highest rank among words in a string or a list of
// strings.
func readRank(raw json.RawMessage) rank {
	texts := []string{readString(raw)}
	if texts[0] == "" && json.Unmarshal(raw, &texts) != nil {
		return unranked // a list of other things than strings is not half believed
	}
	highest := unranked
	for _, text := range texts {
		highest = max(highest, highestIn(text))
	}
	return highest
}

// highestIn returns the highest rank among words with white space between them.
func highestIn(words string) rank {
	highest := unranked
	for word := range strings.FieldsSeq(words) {
		highest = max(highest, ranks[word])
	}
	return highest
}

// readTime reads a NumericDate of RFC 7519, seconds since 1970, into ns.
func readTime(raw json.RawMessage) int64 {
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || seconds >= math.MaxInt64/1e9 {
		return forever
	}
	whole, fraction := math.Modf(max(seconds, 0))
	return int64(whole)*1e9 + int64(fraction*1e9)
}
