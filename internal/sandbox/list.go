package sandbox

import (
	"cmp"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// list is GET on a collection: a page of what matches, oldest first unless
// sorted otherwise.
func (s *Sandbox) list(c *call, kind string) (answer, error) {
	if err := c.permit(toList, kind, ""); err != nil {
		return answer{}, err
	}
	q, err := parseQuery(c.r.URL.RawQuery)
	if err != nil {
		return answer{}, err
	}
	if err := q.require(kind); err != nil {
		return answer{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	candidates := s.store.collections[kind].order
	if conversation, given := q.exactly("conversation"); given && kind == "messages" {
		candidates = s.store.threads[strings.ToLower(conversation)]
	}
	return s.page(c, kind, candidates, q)
}

// listThread is GET /v2/conversations/{id}/messages, for whoever may list
// conversations.
func (s *Sandbox) listThread(c *call) (answer, error) {
	if err := c.permit(toList, "conversations", ""); err != nil {
		return answer{}, err
	}
	q, err := parseQuery(c.r.URL.RawQuery)
	if err != nil {
		return answer{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.store.doc("conversations", c.id) == nil {
		return answer{}, notFound("Conversation")
	}
	return s.page(c, "messages", s.store.threads[c.id], q)
}

func (s *Sandbox) page(c *call, kind string, candidates []*record, q *query) (answer, error) {
	docs := q.sorted(q.matching(candidates))
	total := len(docs)
	docs = docs[min(q.offset, total):]
	docs = docs[:min(q.limit, len(docs))]
	list := make([]any, len(docs))
	for i, d := range docs {
		list[i] = s.store.render(kind, d, q)
	}
	c.w.Header().Set("X-Total-Count", strconv.Itoa(total))
	if end := q.offset + len(docs); len(docs) > 0 && end < total {
		next := s.origin(c.r) + c.r.URL.EscapedPath() + "?" + q.next(end)
		c.w.Header().Set("Link", "<"+next+`>; rel="next"`)
	}
	return ok(list)
}

// origin is the scheme and host that the client used. The SDK follows only
// absolute links.
func (s *Sandbox) origin(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if s.opts.TrustForwarded {
		scheme = cmp.Or(r.Header.Get("X-Forwarded-Proto"), scheme)
		host = cmp.Or(r.Header.Get("X-Forwarded-Host"), host)
	}
	if host == "" { // HTTP/1.0 may do without
		if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
			host = a.String()
		}
	}
	return scheme + "://" + host
}

func (q *query) matching(candidates []*record) []object {
	docs := make([]object, 0, len(candidates))
next:
	for _, r := range candidates {
		if r.gone {
			continue
		}
		for i := range q.filters {
			if !q.filters[i].matches(r.doc) {
				continue next
			}
		}
		docs = append(docs, r.doc)
	}
	return docs
}

// sorted orders by the sort keys. What is equal stays in the order of its
// creation, or the reverse of it when the first key descends.
func (q *query) sorted(docs []object) []object {
	if len(q.sort) == 0 {
		return docs
	}
	if q.sort[0].descending {
		slices.Reverse(docs)
	}
	// By createdAt, the commonest key, they are in order already.
	if !slices.IsSortedFunc(docs, q.order) {
		slices.SortStableFunc(docs, q.order)
	}
	return docs
}

func (q *query) order(a, b object) int {
	for _, key := range q.sort {
		va, _ := first(a, key.path)
		vb, _ := first(b, key.path)
		if o := order(va, vb); o != 0 {
			if key.descending {
				return -o
			}
			return o
		}
	}
	return 0
}

// order compares two values of any type: absent, numbers, texts, the rest.
func order(a, b any) int {
	if s, ok := a.(string); ok {
		if t, ok := b.(string); ok {
			return strings.Compare(s, t)
		}
	}
	ra, na := rank(a)
	rb, nb := rank(b)
	return cmp.Or(cmp.Compare(ra, rb), cmp.Compare(na, nb))
}

func rank(v any) (class int, number float64) {
	switch v := v.(type) {
	case nil:
		return 0, 0
	case bool:
		if v {
			return 1, 1
		}
		return 1, 0
	case int:
		return 2, float64(v)
	case json.Number:
		n, _ := v.Float64()
		return 2, n
	case string:
		return 3, 0
	}
	return 4, 0
}
