package e2e

import (
	"fmt"
	"slices"
	"testing"
)

// listing is one way to list, as pages.js prints it.
type listing struct {
	Way        string
	Texts      []string
	TotalCount string
}

func TestTheSDKListsEveryMessageOnceInOrderThroughTheGateway(t *testing.T) {
	t.Parallel()
	const all, page = 250, 100
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: manyRequests})
	thread := s.newConversation(t, 1)
	before := s.arrivals(t)
	var texts []string
	var messages []any
	for i := range all {
		texts = append(texts, fmt.Sprintf("line %d", i))
		messages = append(messages, message(texts[i]))
	}
	listings := runScript[listing](t, "pages.js", map[string]any{
		// An admin is no bot: these messages are not limited.
		"host": g.url(), "token": s.tokens["admin"], "conversation": thread, "limit": page,
		"arrays": slices.Collect(slices.Chunk(messages, page)),
	})
	if len(listings) != 3 {
		t.Fatalf("%d listings, want 3", len(listings))
	}
	for i, want := range [][]string{texts[:page], texts, texts} {
		if got := listings[i]; !slices.Equal(got.Texts, want) {
			t.Errorf("%s: %d messages, want %d, each once and in order:\n%v", got.Way, len(got.Texts), len(want), got.Texts)
		}
	}
	if got := listings[0].TotalCount; got != fmt.Sprint(all) {
		t.Errorf("list.headers.totalCount is %q, want %d", got, all)
	}
	arrived := s.arrivals(t).since(before)
	// One page, then twice all three: a link that was not followed, or that was
	// followed twice, would show here.
	if got := arrived.Routes["GET /v2/messages"]; got != 7 {
		t.Errorf("the SDK fetched %d pages, want 7", got)
	}
	wantAllThroughTheGateway(t, g, arrived)
}
