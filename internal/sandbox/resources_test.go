package sandbox

import (
	"bytes"
	"compress/gzip"
	"regexp"
	"strings"
	"testing"
)

func TestEveryResourceIsCreatedReadUpdatedAndDeleted(t *testing.T) {
	w := newWorld(t)
	admin := w.as("admin")
	special := map[string]string{
		"users":         `{"email":"new@demo.example","extra":{"a":[1,2.50,null]}}`,
		"messages":      `{"conversation":"` + conversationID + `","text":"x","extra":{"a":[1,2.50,null]}}`,
		"conversations": `{"type":"agent","extra":{"a":[1,2.50,null]}}`,
		"services":      `{"type":"other","extra":{"a":[1,2.50,null]}}`,
	}
	for kind, title := range titles {
		body := special[kind]
		if body == "" {
			body = `{"name":"x","extra":{"a":[1,2.50,null]}}`
		}
		made := admin.post("/v2/"+kind, body).must(201)
		id := made.id()
		if !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(id) {
			t.Errorf("%s: an id must be 24 hex digits, got %s", kind, id)
		}
		if !strings.Contains(made.raw, `"extra":{"a":[1,2.50,null]}`) {
			t.Errorf("%s: unknown members must come back as they were sent: %s", kind, made.raw)
		}
		path := "/v2/" + kind + "/" + id
		equal(t, kind, admin.get(path).must(200).raw, made.raw)
		equal(t, kind, len(admin.get("/v2/"+kind+"?id="+id).must(200).list()), 1)
		changed := admin.patch(path, `{"other":"y"}`).must(200).object()
		equal(t, kind, changed["other"], "y")
		equal(t, kind, changed["extra"], map[string]any{"a": []any{1, 2.5, nil}})
		if r := admin.do("DELETE", path, "").must(204); r.raw != "" {
			t.Errorf("%s: a 204 has no body, got %s", kind, r.raw)
		}
		equal(t, kind, admin.get(path).refused(404), title+" not found")
		admin.patch(path, `{}`).refused(404)
		admin.do("DELETE", path, "").refused(404)
	}
}

func TestSystemFieldsCannotBeSet(t *testing.T) {
	w := newWorld(t)
	made := w.as("bot").post("/v2/contacts", `{"id":"65aa00000000000000000000","orgPath":"x","createdAt":"1999-01-01","name":"Ada"}`).must(201)
	o := made.object()
	equal(t, "orgPath", o["orgPath"], organizationID)
	if made.id() == "65aa00000000000000000000" || strings.HasPrefix(o["createdAt"].(string), "1999") {
		t.Errorf("the API sets id and createdAt: %s", made.raw)
	}
	o = w.as("bot").patch("/v2/contacts/"+made.id(), `{"id":"x","createdAt":"1999-01-01","orgPath":"x"}`).must(200).object()
	equal(t, "id", o["id"], made.id())
	equal(t, "createdAt", o["createdAt"], made.object()["createdAt"])
	equal(t, "orgPath", o["orgPath"], organizationID)
}

func TestOrganizationsFormATree(t *testing.T) {
	w := newWorld(t)
	admin := w.as("admin")
	child := admin.post("/v2/organizations", `{"name":"Demo North"}`).must(201).object()
	equal(t, "path", child["path"], organizationID+"#"+child["id"].(string))
	equal(t, "level", child["level"], 2)
	equal(t, "defaults", []any{child["status"], child["categories"], child["stopwords"]}, []any{"active", []any{}, []any{}})
	shop := admin.post("/v2/organizations", `{"parent":"`+child["id"].(string)+`"}`).must(201).object()
	equal(t, "level", shop["level"], 3)
	contact := admin.post("/v2/contacts", `{"organization":"`+shop["id"].(string)+`"}`).must(201).object()
	equal(t, "orgPath", contact["orgPath"], shop["path"])
	equal(t, "in or below", len(admin.get("/v2/contacts?orgPath=^"+organizationID).list()), 2)
	admin.post("/v2/contacts", `{"organization":"65aa00112233445566770000"}`).refused(422)
}

func TestPasswordsAreNeverEchoed(t *testing.T) {
	w := newWorld(t)
	admin := w.as("admin")
	made := admin.post("/v2/users", `{"email":"kim@demo.example","password":"s3cret","givenName":"Kim","organizations":[{"role":"agent"}]}`).must(201)
	path := "/v2/users/" + made.id()
	login := func(password string, want int) {
		t.Helper()
		w.as("").post("/v2/auth/token", `{"email":"kim@demo.example","password":"`+password+`"}`).must(want)
	}
	login("s3cret", 201)
	changed := admin.patch(path, `{"password":"n3w"}`).must(200)
	login("s3cret", 401)
	login("n3w", 201)
	for _, r := range []result{made, changed, admin.get(path), admin.get("/v2/users")} {
		if strings.Contains(r.raw, "s3cret") || strings.Contains(r.raw, "n3w") || strings.Contains(r.raw, "password") {
			t.Errorf("a password was echoed: %s", r.raw)
		}
	}
	admin.post("/v2/users", `{"email":"KIM@demo.example"}`).refused(422)
	admin.post("/v2/users", `{"givenName":"Nobody"}`).refused(422)
	admin.post("/v2/users", `{"email":"x@demo.example","role":"king"}`).refused(422)
}

func TestPatchMergesAtTheTopLevelOnly(t *testing.T) {
	w := newWorld(t)
	bot := w.as("bot")
	id := bot.post("/v2/contacts", `{"profile":{"name":"Ada","email":"a@b.example"},"tags":["x","y"],"keep":1}`).must(201).id()
	o := bot.patch("/v2/contacts/"+id, `{"profile":{"name":"Eve"},"tags":["z"],"nothing":null}`).must(200).object()
	equal(t, "a nested object is replaced", o["profile"], map[string]any{"name": "Eve"})
	equal(t, "an array is replaced", o["tags"], []any{"z"})
	equal(t, "what is not named stays", o["keep"], 1)
	if v, there := o["nothing"]; !there || v != nil {
		t.Error("null is a value")
	}
	bot.patch("/v2/contacts/"+id, `[]`).refused(422)
	bot.patch("/v2/contacts/"+id, ``).refused(400)
}

func TestPatchSmartsuppExample(t *testing.T) {
	w := newWorld(t)
	admin := w.as("admin")
	made := admin.post("/v2/services", `{"name":"Smartsupp","type":"smartsupp","params":{"username":"ada","password":"old","port":1234}}`).must(201)
	o := admin.patch("/v2/services/"+made.id(), `{"params":{"username":"ada","password":"new"}}`).must(200).object()
	equal(t, "params", o["params"], map[string]any{"username": "ada", "password": "new", "port": 5222})
	equal(t, "name", o["name"], "Smartsupp")
	equal(t, "as kept", admin.get("/v2/services/" + made.id()).object()["params"], o["params"])

	o = admin.patch("/v2/services/"+made.id(), `{"name":"Other"}`).must(200).object()
	equal(t, "params that were not named", o["params"], map[string]any{"username": "ada", "password": "new", "port": 5222})
}

func TestPutIsNotUsed(t *testing.T) {
	w := newWorld(t)
	f := func(path, allow string) {
		t.Helper()
		r := w.as("admin").do("PUT", path, `{}`)
		if text := r.refused(405); !strings.Contains(text, "PATCH") {
			t.Errorf("the refusal must name PATCH, got %q", text)
		}
		equal(t, "Allow", r.header.Get("Allow"), allow)
	}
	f("/v2/contacts/"+contactID, "DELETE, GET, HEAD, OPTIONS, PATCH")
	f("/v2/contacts", "GET, HEAD, OPTIONS, POST")
	f("/v2/messages", "GET, HEAD, OPTIONS, POST")
	f("/v2/conversations/"+conversationID+"/messages", "GET, HEAD, OPTIONS, POST")
	f("/v2/auth/token", "OPTIONS, POST")
}

func TestMessagesReplaceIsAPutWithoutABody(t *testing.T) {
	w := newWorld(t)
	bot := w.as("bot")
	m := bot.post("/v2/messages", `{"conversation":"`+conversationID+`","text":"x"}`).must(201)
	o := bot.do("PUT", "/v2/messages/"+m.id(), "").must(200).object()
	equal(t, "text", o["text"], "x")
	o = bot.do("PUT", "/v2/messages/"+m.id(), `{"text":"y","conversation":"z"}`).must(200).object()
	equal(t, "text", o["text"], "y")
	equal(t, "conversation", o["conversation"], conversationID)
	bot.do("PUT", "/v2/messages/65aa00112233445566770000", "").refused(404)
	w.as("agent").do("PUT", "/v2/messages/"+m.id(), "").refused(403)
}

func TestHeadAndOptions(t *testing.T) {
	w := newWorld(t)
	get, head := w.as("bot").get("/v2/contacts"), w.as("bot").do("HEAD", "/v2/contacts", "")
	equal(t, "status", head.status, 200)
	equal(t, "body", head.raw, "")
	equal(t, "length", head.header.Get("Content-Length"), get.header.Get("Content-Length"))
	equal(t, "count", head.header.Get("X-Total-Count"), "1")

	r := w.as("").do("OPTIONS", "/v2/messages/1", "").must(204)
	equal(t, "Allow", r.header.Get("Allow"), "DELETE, GET, HEAD, OPTIONS, PATCH, PUT")
}

func TestRoutes(t *testing.T) {
	w := newWorld(t)
	f := func(path string, want int) {
		t.Helper()
		if r := w.as("bot").get(path); r.status != want {
			t.Errorf("%s: got %d, want %d", path, r.status, want)
		}
	}
	f("/", 200)
	f("/v2/contacts/", 200)
	f("/V2/Contacts", 200)
	f("//v2//contacts", 200)
	f("/v2/x/../contacts", 200)
	f("/v2/c%6fntacts", 200)
	f("/v2/conversations/"+strings.ToUpper(conversationID), 200)
	f("/v2/conversations/"+conversationID+"/messages", 200)
	f("/v2/conversations/"+conversationID+"/nothing", 404)
	f("/v2/nothing", 404)
	f("/v2", 404)
	f("/v3/contacts", 404)
	f("/sandbox/nothing", 404)
	w.as("").get("/v2/nothing").refused(401)
	w.as("").get("/v3/contacts").refused(404)
}

func TestBodies(t *testing.T) {
	w := newWorld(t)
	bot := w.as("bot")
	zip := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(s))
		_ = z.Close()
		return b.String()
	}
	f := func(body, encoding string, want int) {
		t.Helper()
		r := bot.do("POST", "/v2/contacts", body, "Content-Encoding", encoding)
		if want >= 400 {
			r.refused(want)
		}
		r.must(want)
	}
	f(`{"name":"x"}`, "", 201)
	f(zip(`{"name":"x"}`), "gzip", 201)
	f(zip(`{"name":"`+strings.Repeat("x", maxBody)+`"}`), "gzip", 413)
	f(`{"name":"`+strings.Repeat("x", maxBody)+`"}`, "", 413)
	f(`{"name":"x"}`, "gzip", 400)
	f(`{"name":"x"}`, "br", 415)
	f(`{"name":"x"} {}`, "", 400)
	f(`{"name":`, "", 400)
	f(`{"list":[1,]}`, "", 400)
	f(``, "", 400)
	f(`null`, "", 422)
	f(`"text"`, "", 422)
}

func TestNoSuccessHasAMemberCalledError(t *testing.T) {
	w := newWorld(t)
	made := w.as("bot").post("/v2/contacts", `{"error":{"message":"x"},"name":"Ada"}`).must(201)
	if _, there := made.object()["error"]; there {
		t.Errorf("the SDK takes this answer for a failure: %s", made.raw)
	}
}
