package e2e

import "testing"

// library are four contacts to search in, made in the order b, a, d, c.
var library = []step{
	{ask: "admin DELETE /v2/contacts/<contact>", want: 204},
	{ask: "bot POST /v2/contacts", want: 201, body: `{"name":"b","age":9,"vip":true,"profile":{"telephone":"+31971"},"tags":["red","blue"],"members":[{"user":"u1","inbox":true},{"user":"u2","inbox":false}],"meta":{"intent":"x"}}`},
	{ask: "bot POST /v2/contacts", want: 201, body: `{"name":"a","age":10,"vip":false,"profile":{"telephone":"+31972"},"tags":["red"],"members":[{"user":"u3","inbox":true}],"seenAt":"2025-03-02T10:00:00+02:00"}`},
	{ask: "bot POST /v2/contacts", want: 201, body: `{"name":"d","age":-1.5,"profile":{"telephone":"31971"},"note":"Hello World, a;b"}`},
	{ask: "bot POST /v2/contacts", want: 201, body: `{"name":"c","age":10,"note":null}`},
}

func TestDocumentationFetchingResources(t *testing.T) {
	f := newParagraph(t)
	// finds lists contacts: these and no others, in this order.
	finds := func(query, names string) step {
		return step{ask: "bot GET /v2/contacts?" + query, want: 200, names: &names}
	}
	refused := func(query string) step { return step{ask: "bot GET /v2/contacts?" + query, want: 400} }
	with := func(name string, steps ...step) {
		t.Helper()
		f(name, append(append([]step{}, library...), steps...)...)
	}
	with("sort", finds("", "badc"), finds("sort=name", "abcd"), finds("sort=-name", "dcba"), finds("sort=-age,name", "acbd"),
		finds("sort=-createdAt", "cdab"), finds("sort=profile.telephone,name", "cbad"))
	with("limit and offset", finds("limit=2", "ba"), finds("limit=2&offset=2", "dc"), finds("offset=9", ""), finds("limit=999999999", "badc"),
		refused("limit=0"), refused("limit=many"), refused("offset=-1"))
	with("select", finds("select=name", "badc"), step{ask: "bot GET /v2/contacts?name=b&select=members.user", want: 200, says: `"members":[{"user":"u1"},{"user":"u2"}]`},
		step{ask: "bot GET /v2/conversations/<conversation>?select=status", want: 200, says: `{"id":"<conversation>","status":"active"}`})
	with("field filters with dotted paths", finds("name=a", "a"), finds("name=A", ""), finds("age=10&name=c", "c"), finds("vip=true", "b"),
		finds("tags=blue", "b"), finds("members.user=u2", "b"), finds("members.inbox=true", "ba"), finds("profile.telephone=%2B31971", "b"),
		finds("meta.intent=x", "b"), finds("note=null", "bac"), finds("nothing=x", ""))
	with("operator ~ contains", finds("note=~hello", "d"), finds("profile.telephone=~197", "bad"))
	with("operator ^ starts with", finds("profile.telephone=^%2B3197", "ba"))
	with("operators > >= < <=", finds("age=>9", "ac"), finds("age=>=9", "bac"), finds("age=<9", "d"), finds("age=<=9", "bd"), finds("age=>1&age=<10", "b"),
		finds("age=%3E%3D9", "bac"))
	with("operator [a,b]", finds("name=[a,c]", "ac"), finds("name=%5Ba%2Cc%5D", "ac"), finds("name=[]", ""))
	with("operator !", finds("name=!a", "bdc"), finds("name=![a,c]", "bd"), finds("name=!~a", "bdc"), finds("note=!null", "d"))
	with("dates", finds("createdAt=>=2025-03-01", "badc"), finds("createdAt=<2025-03-01", ""), finds("seenAt=2025-03-02T08:00:00Z", "a"),
		finds("seenAt=2025-03-02T10:00:00%2B02:00", "a"), refused("createdAt=>yesterday"), refused("createdAt=>2025-03-01T10:00:00+02:00"))
	with("a blank as + or %20, separators raw or encoded", finds("note=Hello+World%2C+a%3Bb", "d"), finds("note=Hello%20World,%20a;b", "d"), finds("&&name=a&", "a"))
	f("populate, dotted",
		step{ask: "bot POST <thread>", body: `{"text":"hi"}`, want: 201},
		step{ask: "bot GET /v2/conversations/<conversation>?populate=messages,contact", want: 200, says: `"email":"ada@consumer.example" … "text":"hi"`},
		step{ask: "bot GET /v2/conversations/<conversation>?populate=messages.user", want: 200, says: `"text":"hi" … "givenName":"Demo"`},
		step{ask: "bot GET /v2/conversations?populate=participants.user", want: 200, says: `"familyName":"Bot"`},
		step{ask: "bot GET /v2/botinstances?populate=bot&bot=<bot>&organization=[<organization>]&sort=orgPath", want: 200, says: `"audience":"owner"`})
}

func TestDocumentationRequiredParameters(t *testing.T) {
	f := newParagraph(t)
	messages, conversations := []step{}, []step{}
	for query, want := range map[string]int{
		"": 400, "?text=x": 400, "?limit=5": 400, "?id=x": 200, "?organization=x": 200, "?conversation=x": 200, "?type=chat": 200, "?role=bot": 200,
		"?createdAt=>=2025-03-01": 200,
	} {
		messages = append(messages, step{ask: "bot GET /v2/messages" + query, want: want})
	}
	f("messages need one of them", messages...)
	for query, want := range map[string]int{
		"": 400, "&name=y": 400, "&id=x": 200, "&type=x": 200, "&participants.user=x": 200, "&status=x": 200, "&createdAt=2025-03-01": 200,
		"&categoryIndex=1": 200, "&category=x": 200, "&organization=x": 200, "&updatedAt=2025-03-01": 200,
	} {
		conversations = append(conversations, step{ask: "bot GET /v2/conversations?meta.intent=x" + query, want: want})
	}
	f("meta of conversations needs another", conversations...)
}

func TestDocumentationLinkAndTotalCount(t *testing.T) {
	f := newParagraph(t)
	query := "name=[a,b,c,d]&note=!a;b&limit=3&sort=-name,age"
	f("the page, its link and its count", append(append([]step{}, library...),
		step{ask: "bot GET /v2/contacts?" + query, want: 200, says: `"d" … "c" … "b"`},
		step{ask: "bot GET /v2/contacts?" + query + "&offset=3", want: 200, says: `"name":"a"`},
		step{ask: "bot HEAD /v2/contacts?" + query, want: 200})...)

	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: roomy})
	for range 4 {
		wantStatus(t, g.do(t, call{path: "/v2/contacts", token: s.tokens["bot"], body: `{"name":"a,b;c"}`}), 201)
	}
	walked := walk(t, g, call{path: "/v2/contacts?limit=2", token: s.tokens["bot"]})
	if walked != 3 {
		t.Errorf("following the links took %d pages of two to show 5 contacts, want 3", walked)
	}
}
