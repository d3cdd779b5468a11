package sandbox

import (
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// library is a world with four contacts a..d to search in.
func library(t *testing.T) *world {
	var asked atomic.Int64
	w := newWorldWith(t, Options{Now: func() time.Time {
		return time.Date(2025, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(asked.Add(1)) * time.Minute)
	}})
	bot := w.as("bot")
	for _, body := range []string{
		`{"name":"b","age":9,"vip":true,"profile":{"telephone":"+31971"},"tags":["red","blue"],"members":[{"user":"u1","inbox":true},{"user":"u2","inbox":false}]}`,
		`{"name":"a","age":10,"vip":false,"profile":{"telephone":"+31972"},"tags":["red"],"members":[{"user":"u3","inbox":true}],"seenAt":"2025-03-02T10:00:00+02:00"}`,
		`{"name":"d","age":-1.5,"profile":{"telephone":"31971"},"note":"Hello World, a;b"}`,
		`{"name":"c","age":10,"note":null}`,
	} {
		bot.post("/v2/contacts", body).must(201)
	}
	w.as("admin").do("DELETE", "/v2/contacts/"+contactID, "").must(204)
	return w
}

// finds lists contacts by an encoded query and compares their names.
func (w *world) finds(query string) func(want string) {
	w.t.Helper()
	var names strings.Builder
	for _, o := range w.as("bot").get("/v2/contacts?" + query).must(200).list() {
		name, _ := o["name"].(string)
		names.WriteString(name)
	}
	return func(want string) {
		w.t.Helper()
		if names.String() != want {
			w.t.Errorf("%s: got %q, want %q", query, names.String(), want)
		}
	}
}

func TestFetchingResourcesSort(t *testing.T) {
	w := library(t)
	w.finds("")("badc")
	w.finds("sort=name")("abcd")
	w.finds("sort=-name")("dcba")
	w.finds("sort=age")("dbac")
	w.finds("sort=-age")("cabd")
	w.finds("sort=-age,name")("acbd")
	w.finds("sort=-age,-name")("cabd")
	w.finds("sort=-createdAt")("cdab")
	w.finds("sort=profile.telephone,name")("cbad")
	w.finds("sort=vip,name")("cdab")
}

func TestFetchingResourcesLimitAndOffset(t *testing.T) {
	w := library(t)
	w.finds("limit=2")("ba")
	w.finds("limit=2&offset=2")("dc")
	w.finds("limit=2&offset=3")("c")
	w.finds("offset=9")("")
	w.finds("offset=9223372036854775807")("")
	w.finds("limit=999999999")("badc")
	f := func(query string) {
		t.Helper()
		w.as("bot").get("/v2/contacts?" + query).refused(400)
	}
	f("limit=0")
	f("limit=-1")
	f("limit=many")
	f("offset=-1")
	f("name=%zz")
}

func TestFetchingResourcesDefaultPageSize(t *testing.T) {
	w := newWorld(t)
	for i := range defaultPage {
		w.as("bot").post("/v2/contacts", fmt.Sprintf(`{"name":"c%d"}`, i)).must(201)
	}
	r := w.as("bot").get("/v2/contacts")
	equal(t, "page", len(r.list()), 100)
	equal(t, "X-Total-Count", r.header.Get("X-Total-Count"), "101")
}

func TestFetchingResourcesSelect(t *testing.T) {
	w := library(t)
	f := func(query string, want map[string]any) {
		t.Helper()
		o := w.as("bot").get("/v2/contacts?name=b&select=" + query).must(200).list()[0]
		if o["id"] == "" || o["id"] == nil {
			t.Error("the id is always there")
		}
		delete(o, "id")
		equal(t, query, o, want)
	}
	f("name", map[string]any{"name": "b"})
	f("name,age", map[string]any{"name": "b", "age": 9})
	f("profile.telephone", map[string]any{"profile": map[string]any{"telephone": "+31971"}})
	f("members.user", map[string]any{"members": []any{map[string]any{"user": "u1"}, map[string]any{"user": "u2"}}})
	f("nothing", map[string]any{})

	o := w.as("bot").get("/v2/conversations/" + conversationID + "?select=status").must(200).object()
	equal(t, "one resource", o, map[string]any{"id": conversationID, "status": "active"})
}

func TestFetchingResourcesPopulate(t *testing.T) {
	w := newWorld(t)
	bot := w.as("bot")
	id := bot.post("/v2/messages", `{"conversation":"`+conversationID+`","text":"hi"}`).must(201).id()
	get := func(query string) map[string]any {
		t.Helper()
		return bot.get("/v2/conversations/" + conversationID + "?" + query).must(200).object()
	}
	equal(t, "messages are ids", get("")["messages"], []any{id})

	o := get("populate=messages,contact")
	m := o["messages"].([]any)[0].(map[string]any)
	equal(t, "text", m["text"], "hi")
	equal(t, "user", m["user"], botID)
	equal(t, "contact", o["contact"].(map[string]any)["profile"].(map[string]any)["name"], "Ada Demo")

	m = get("populate=messages.user")["messages"].([]any)[0].(map[string]any)
	equal(t, "a dotted path", m["user"].(map[string]any)["givenName"], "Demo")
	p := get("populate=participants.user")["participants"].([]any)[0].(map[string]any)
	equal(t, "into a list of objects", p["user"].(map[string]any)["familyName"], "Bot")
	equal(t, "what is no id stays", get("populate=status,nothing,name.x")["status"], "active")

	list := bot.get("/v2/botinstances?populate=bot&bot=" + botID).must(200).list()
	equal(t, "a bot, not the user of the same id", list[0]["bot"].(map[string]any)["audience"], "owner")

	w.as("admin").patch("/v2/organizations/"+organizationID, `{"categories":[{"forms":["`+id+`"]}]}`).must(200)
	c := bot.get("/v2/organizations/" + organizationID + "?populate=categories.forms").object()["categories"].([]any)
	equal(t, "an id of another kind stays", c[0].(map[string]any)["forms"], []any{id})
}

func TestFetchingResourcesFieldFilters(t *testing.T) {
	w := library(t)
	w.finds("name=a")("a")
	w.finds("name=A")("")
	w.finds("age=10")("ac")
	w.finds("age=10.0")("ac")
	w.finds("age=10&name=c")("c")
	w.finds("vip=true")("b")
	w.finds("vip=false")("a")
	w.finds("note=null")("bac")
	w.finds("tags=blue")("b")
	w.finds("members.user=u2")("b")
	w.finds("members.inbox=true")("ba")
	w.finds("profile.telephone=%2B31971")("b")
	w.finds("nothing=x")("")
	w.finds("name=")("badc")
	w.finds("profile=x")("")
}

func TestFetchingResourcesOperators(t *testing.T) {
	w := library(t)
	w.finds("note=~hello")("d")
	w.finds("profile.telephone=~197")("bad")
	w.finds("profile.telephone=^%2B3197")("ba")
	w.finds("age=>9")("ac")
	w.finds("age=>=9")("bac")
	w.finds("age=<9")("d")
	w.finds("age=<=9")("bd")
	w.finds("age=>1&age=<10")("b")
	w.finds("name=>b")("dc")
	w.finds("name=!a")("bdc")
	w.finds("vip=!true")("adc")
	w.finds("note=!null")("d")
	w.finds("name=[a,c]")("ac")
	w.finds("name=%5Ba%2Cc%5D")("ac")
	w.finds("name=![a,c]")("bd")
	w.finds("name=!~a")("bdc")
	w.finds("tags=!red")("dc")
	w.finds("name=[]")("")
}

func TestFetchingResourcesDates(t *testing.T) {
	w := library(t)
	at := func(name string) string {
		return w.as("bot").get("/v2/contacts?select=createdAt&name=" + name).list()[0]["createdAt"].(string)
	}
	a := at("a")
	w.finds("createdAt=" + a)("a")
	w.finds("createdAt=>" + a)("dc")
	w.finds("createdAt=>=" + a)("adc")
	w.finds("createdAt=<" + a)("b")
	w.finds("createdAt=>=2025-03-01")("badc")
	w.finds("createdAt=<2025-03-01")("")
	w.finds("createdAt=<2025-03-02")("badc")
	local, _ := time.Parse(time.RFC3339, a)
	w.finds("createdAt=" + url.QueryEscape(local.In(time.FixedZone("", 7200)).Format(time.RFC3339)))("a")
	w.finds("createdAt=" + local.Format("2006-01-02T15:04:05"))("a")
	w.finds("seenAt=2025-03-02T08:00:00Z")("a")
	w.as("bot").get("/v2/contacts?createdAt=>yesterday").refused(400)
	w.as("bot").get("/v2/contacts?createdAt=>2025-03-01T10:00:00+02:00").refused(400) // the + is a blank
}

func TestFetchingResourcesRequiredParameters(t *testing.T) {
	w := newWorld(t)
	f := func(path string, want int) {
		t.Helper()
		if r := w.as("bot").get(path); r.status != want {
			t.Errorf("%s: got %d, want %d", path, r.status, want)
		}
	}
	f("/v2/messages", 400)
	f("/v2/messages?text=x", 400)
	f("/v2/messages?limit=5", 400)
	for _, p := range messagesNeed {
		f("/v2/messages?"+p+"=2025-03-01", 200)
	}
	f("/v2/conversations", 200)
	f("/v2/conversations?meta.intent=x", 400)
	f("/v2/conversations?meta.intent=x&name=y", 400)
	for _, p := range metaNeeds {
		f("/v2/conversations?meta.intent=x&"+p+"=2025-03-01", 200)
	}
	f("/v2/contacts?meta.intent=x", 200)
}

func TestFetchingResourcesLink(t *testing.T) {
	w := library(t)
	bot := w.as("bot")
	query := "name=[a,b,c,d]&note=!a;b&limit=3&sort=-name,age"
	r := bot.get("/v2/contacts?" + query)
	link := r.header.Get("Link")
	target, found := strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
	if !found || !strings.HasPrefix(target, w.url+"/v2/contacts?") {
		t.Fatalf("the link must be absolute and of the host that was asked, got %s", link)
	}
	if strings.ContainsAny(target, ",;<>") {
		t.Errorf("commas and semicolons must be percent-encoded, got %s", target)
	}
	last := bot.get(strings.TrimPrefix(target, w.url))
	equal(t, "the page behind the link", last.list()[0]["name"], "a")
	equal(t, "the last page's link", last.header.Values("Link"), []string(nil))
	equal(t, "X-Total-Count", last.header.Get("X-Total-Count"), "4")

	all := ""
	for path := "/v2/contacts?limit=1"; path != ""; {
		r := bot.get(path)
		all += r.list()[0]["name"].(string)
		path, _, _ = strings.Cut(strings.TrimPrefix(r.header.Get("Link"), "<"+w.url), ">")
	}
	equal(t, "following the links", all, "badc")
}

func TestLinkFollowsForwardedHeadersOnlyWhenTold(t *testing.T) {
	f := func(trust bool, want string) {
		t.Helper()
		w := newWorldWith(t, Options{TrustForwarded: trust})
		w.as("bot").post("/v2/contacts", `{}`).must(201)
		r := w.as("bot").do("GET", "/v2/contacts?limit=1", "", "X-Forwarded-Host", "api.example", "X-Forwarded-Proto", "https")
		if want == "" {
			want = w.url
		}
		if link := r.header.Get("Link"); !strings.HasPrefix(link, "<"+want+"/v2/") {
			t.Errorf("trust %v: got %s, want the origin %s", trust, link, want)
		}
	}
	f(true, "https://api.example")
	f(false, "")
}

func TestFetchingResourcesReadsTheQueryLikeAForm(t *testing.T) {
	w := library(t)
	w.finds("note=Hello+World%2C+a%3Bb")("d")
	w.finds("note=Hello%20World,%20a;b")("d")
	w.finds("profile.telephone=+31971")("") // a blank, not a plus
	w.finds("&&name=a&")("a")
}

func TestThreadIsAListOfMessages(t *testing.T) {
	w := newWorld(t)
	path := "/v2/conversations/" + conversationID + "/messages"
	w.as("bot").post(path, `[{"text":"a"},{"text":"b"},{"text":"c"}]`).must(201)
	r := w.as("agent").get(path + "?limit=1&sort=-createdAt").must(200)
	equal(t, "newest", r.list()[0]["text"], "c")
	if !strings.Contains(r.header.Get("Link"), path+"?limit=1") {
		t.Errorf("the link must lead to the thread, got %s", r.header.Get("Link"))
	}
	list := w.as("bot").get("/v2/messages?conversation=" + conversationID + "&text=b").must(200).list()
	equal(t, "filtered", len(list), 1)
	w.as("agent").get("/v2/conversations/65aa00112233445566770000/messages").refused(404)
}
