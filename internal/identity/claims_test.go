package identity

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

func TestRoleFollowsTheHighestScope(t *testing.T) {
	f := func(scope string, want Role) {
		t.Helper()
		c := readClaims([]byte(unsigned(`{"_id":"` + ada + `","scope":` + scope + `}`)))
		if got := c.role(); got != want {
			t.Errorf("scope %s is a %s's, want a %s's", scope, got, want)
		}
	}
	f(`"guest"`, Human)
	f(`"viewer"`, Human)
	f(`"viewer guest"`, Human)
	f(`"viewer guest agent"`, Human)
	f(`"viewer guest agent bot"`, Bot)
	f(`"bot agent guest"`, Bot)
	f(`"bot"`, Bot)
	f(`"viewer guest agent bot admin"`, Human)
	f(`"admin bot"`, Human)
	f(`"bot owner"`, Bot)
	f(`"agent supervisor"`, Human)
	f(`["guest","agent","bot"]`, Bot)
	f(`["agent bot","admin"]`, Human)
	f(`"  bot\tagent\n"`, Bot)
}

func TestUnexplainedTokenCountsAsABots(t *testing.T) {
	f := func(payload string) {
		t.Helper()
		c := readClaims([]byte(unsigned(payload)))
		if got := c.role(); got != Bot {
			t.Errorf("payload %s is a %s's, want a bot's", payload, got)
		}
	}
	f(`{}`)
	f(`{"scope":""}`)
	f(`{"scope":"owner"}`)
	f(`{"scope":"Admin"}`)
	f(`{"scope":"admin,agent"}`)
	f(`{"scope":7}`)
	f(`{"scope":null}`)
	f(`{"scope":{"admin":true}}`)
	f(`{"scope":["admin",7,{}]}`)
	f(`{"SCOPE":"admin"}`)
	f(`{"Scope":"admin","\u0073cop":"admin"}`)
	f(`{"scope":"admin"}garbage`)
	f(`["scope","admin"]`)
	f(`null`)
	f(`"admin"`)
	f("{\"scope\":\"admin\x01\"}")
	f(``)
}

func TestClaimsAreReadAsNodeReadsThem(t *testing.T) {
	f := func(payload, user string, r rank, expires int64) {
		t.Helper()
		got := readClaims([]byte(unsigned(payload)))
		if want := (claims{user: user, rank: r, expires: expires}); got != want {
			t.Errorf("payload %s\ngot  %+v\nwant %+v", payload, got, want)
		}
	}
	f(`{"_id":"a","scope":"agent","exp":1740816000}`, "a", agent, now)
	f(`{"_id":"a","_id":"b"}`, "b", unranked, forever)
	f(`{"_id":"a","_ID":"b"}`, "a", unranked, forever)
	f(`{"_ID":"b"}`, "", unranked, forever)
	f(`{"\u005fid":"b"}`, "b", unranked, forever)
	f(`{"_id":7}`, "", unranked, forever)
	f(`{"_id":null}`, "", unranked, forever)
	f(`{"_id":"`+strings.Repeat("x", maxUserID)+`"}`, strings.Repeat("x", maxUserID), unranked, forever)
	f(`{"_id":"`+strings.Repeat("x", maxUserID+1)+`"}`, "", unranked, forever)
	f(`{"exp":1740816000.5}`, "", unranked, now+second/2)
	f(`{"exp":0}`, "", unranked, 0)
	f(`{"exp":-5}`, "", unranked, 0)
	f(`{"exp":9223372037}`, "", unranked, forever)
	f(`{"exp":1e300}`, "", unranked, forever)
	f(`{"exp":1e999}`, "", unranked, forever)
	f(`{"exp":"1740816000"}`, "", unranked, forever)
	f(`{"exp":null}`, "", unranked, forever)
}

func TestPayloadThatIsNoBase64URLSaysNothing(t *testing.T) {
	f := func(token string) {
		t.Helper()
		if got := readClaims([]byte(token)); got != (claims{expires: forever}) {
			t.Errorf("token %q says %+v", token, got)
		}
	}
	f("a.b.c")
	f("..")
	f("a.!!!.c")
	f("a." + base64.StdEncoding.EncodeToString([]byte(`{"scope":"admin"}`+"   ")) + "=.c")
}

func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`{"_id":"65aa00112233445566778899","organization":"65aa","scope":"viewer guest agent bot","grant_type":"access_token","exp":1740816000}`,
		`{"_id":"a","_ID":"b","_id":"c"}`, `{"scope":["bot",{}]}`, `{"exp":1e999}`, `{`, `null`, `[]`, `{"\u005fid":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	d := directory(f, nil)
	f.Fuzz(func(t *testing.T, payload []byte) {
		c := readClaims([]byte(unsigned(string(payload))))
		if want, ok := naiveID(payload); ok && c.user != want {
			t.Fatalf("payload %q: user %q, want %q", payload, c.user, want)
		}
		if c.expires < 0 || c.role() == Nobody {
			t.Fatalf("payload %q: %+v", payload, c)
		}
		first := lookup(t, d, unsigned(string(payload)), now)
		again := lookup(t, d, unsigned(string(payload)), now)
		if first.Role != again.Role || first.User != again.User || !bytes.Equal(first.UserID, again.UserID) {
			t.Fatalf("payload %q: first %+v, then %+v", payload, first, again)
		}
	})
}

// naiveID finds the last member _id by walking through the tokens of a JSON
// object. It does not judge what is no object.
func naiveID(payload []byte) (id string, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(payload))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return "", false
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return "", false
		}
		var value any
		if dec.Decode(&value) != nil {
			return "", false
		}
		if name == "_id" {
			id, _ = value.(string)
		}
	}
	if _, err := dec.Token(); err != nil {
		return "", false
	}
	if _, err := dec.Token(); err != io.EOF || len(id) > maxUserID {
		return "", false
	}
	return id, true
}
