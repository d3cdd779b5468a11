package sandbox

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

func BenchmarkListAllMessages(b *testing.B) {
	s := filled(10_000, 10)
	token := s.Credential("bot").Token
	for b.Loop() {
		r := httptest.NewRequest("GET", "/v2/messages?organization="+organizationID+"&sort=-createdAt", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
}

func BenchmarkPostMessage(b *testing.B) {
	s := New(Options{})
	token := s.Credential("bot").Token
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", thread, strings.NewReader(`{"text":"Your order left the depot"}`))
		r.Header.Set("Authorization", "Bearer "+token)
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
}

// filled is a sandbox with new conversations of some messages each.
func filled(conversations, messages int) *Sandbox {
	s := New(Options{})
	c := &call{now: s.now(), who: s.store.accounts[botID]}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range conversations {
		v, _ := decode(fmt.Appendf(nil, `{"organization":%q,"type":"contact","contact":{"profile":{"name":"Consumer %d","telephone":"+3197%05d"}}}`, organizationID, i, i))
		r, _, err := s.findOrOpen(c, v.(object))
		if err != nil {
			panic(err)
		}
		for k := range messages {
			m, _ := decode(fmt.Appendf(nil, `{"text":"This is message %d of conversation %d","type":"chat"}`, k, i))
			s.addMessage(c, authorOf(c.who), r, m.(object))
		}
	}
	return s
}
