package proxy

import "testing"

// The spellings that Express 4, Koa or Fastify route to a handler of messages.
func TestEverySpellingOfAGuardedRouteIsRecognised(t *testing.T) {
	is := func(path string, want route, id string) {
		t.Helper()
		got, _, p := recognise([]byte(path), nil)
		if p != "" || got.route != want || string(got.conversation) != id {
			t.Errorf("%s: got %s %q (%s), want %s %q", path, got.route, got.conversation, p, want, id)
		}
	}
	is("/v2/messages", routeMessages, "")
	is("/V2/MESSAGES", routeMessages, "")
	is("/v2/messages/", routeMessages, "")
	is("/v2/%6dessages", routeMessages, "")
	is("/%76%32/messages", routeMessages, "")
	is("/v2/conversations", routeConversations, "")
	is("/v2/conversations/abc/messages", routeConversationMessages, "abc")
	is("/v2/Conversations/aBc/messages/", routeConversationMessages, "aBc")
	is("/v2/conversations/a%62c/messages", routeConversationMessages, "abc")
	is("/v2/auth/token", routeAuthToken, "")
}

func TestAmbiguousSpellingOfAGuardedRouteIsRefused(t *testing.T) {
	refused := func(path string, want problem) {
		t.Helper()
		if got, _, p := recognise([]byte(path), nil); p != want {
			t.Errorf("%s: got %s (%q), want %q", path, got.route, p, want)
		}
	}
	refused("//v2/messages", badRoute)
	refused("/v2//messages", badRoute)
	refused("/v2/messages//", badRoute)
	refused("/v2/./messages", badRoute)
	refused("/v2/x/../messages", badRoute)
	refused("/v2/%2e/messages", badRoute)
	refused("/v2%2fmessages", badRoute)
	refused("/v2/messages;a=b", badRoute)
	refused("/v2/messages%20", badRoute)
	refused("/v2/%256dessages", badRoute)
	refused("/v2/x%2f..%2fmessages", badRoute)
	refused("/v2/conversations/abc%2fmessages", badRoute)
	refused("/v2/conversations//messages", badID)
	refused("/v2/conversations/%2e%2e/messages", badID)
	refused("/v2/conversations/abc%2Fdef/messages", badID)
	refused("/v2/conversations/a%20b/messages", badID)
}

func TestOtherPathsPassWhateverTheirSpelling(t *testing.T) {
	passes := func(path string) {
		t.Helper()
		if got, _, p := recognise([]byte(path), nil); p != "" || got.route != routeOther {
			t.Errorf("%s: got %s (%s), want other", path, got.route, p)
		}
	}
	passes("/")
	passes("/v3/messages")
	passes("/v2/messages/65aa0f00aabbccddeeff0011")
	passes("/v2//users")
	passes("/v2/users/../contacts;x=%2f")
	passes("/v2/conversations/abc")
	passes("/v2/conversations/abc/messages/def")
	passes("/a/b/c/d/e/f")
	passes("/.well-known/x")
}

func FuzzRecognise(f *testing.F) {
	for _, s := range []string{"/v2/messages", "/v2/%256d", "//v2/./messages;x", "/v2/conversations/%2e%2e/messages"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, _, p := recognise([]byte(path), nil)
		if p == "" && got.route == routeConversationMessages && !isID(got.conversation) {
			t.Errorf("%q: accepted conversation %q", path, got.conversation)
		}
	})
}
