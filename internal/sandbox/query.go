package sandbox

import (
	"net/url"
	"strconv"
	"strings"
)

const (
	defaultPage = 100  // resources on a page when no limit is given
	largestPage = 1000 // a larger limit is cut down to this
)

// query is what the documentation's "Fetching Resources" allows after the
// question mark.
type query struct {
	sort              []sortKey
	limit, offset     int
	selects, populate []string // select and populate: dotted paths
	filters           []filter
	pairs             []pair // as they came, decoded, to build the next page's URL
}

type pair struct{ key, value string }

type sortKey struct {
	path       string
	descending bool
}

// parseQuery reads a raw query the way a form is read: "+" is a blank.
func parseQuery(raw string) (*query, error) {
	q := &query{limit: defaultPage}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		key, err := url.QueryUnescape(k)
		if err != nil {
			return nil, badRequest("The query is not correctly encoded")
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			return nil, badRequest("The value of %s in the query is not correctly encoded", key)
		}
		q.pairs = append(q.pairs, pair{key, value})
		if err := q.read(key, value); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func (q *query) read(key, value string) (err error) {
	switch key {
	case "sort":
		for _, p := range commas(value) {
			path, descending := strings.CutPrefix(p, "-")
			q.sort = append(q.sort, sortKey{path, descending})
		}
	case "limit":
		q.limit, err = atLeast(1, key, value)
		q.limit = min(q.limit, largestPage)
	case "offset":
		q.offset, err = atLeast(0, key, value)
	case "select":
		q.selects = append(q.selects, commas(value)...)
	case "populate":
		q.populate = append(q.populate, commas(value)...)
	default:
		if value == "" {
			return nil // asks for nothing
		}
		var f filter
		f, err = parseFilter(key, value)
		q.filters = append(q.filters, f)
	}
	return err
}

func commas(list string) []string {
	var out []string
	for p := range strings.SplitSeq(list, ",") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

func atLeast(least int, key, value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < least {
		return 0, badRequest("%s must be a whole number of at least %d", key, least)
	}
	return n, nil
}

// filters that must narrow a list which would be too long without them.
var (
	messagesNeed = []string{"id", "organization", "conversation", "type", "role", "createdAt"}
	metaNeeds    = []string{
		"id", "type", "participants.user", "status", "createdAt",
		"categoryIndex", "category", "organization", "updatedAt",
	}
)

// require refuses a list of messages, or a search by meta in conversations,
// that nothing else narrows.
func (q *query) require(kind string) error {
	switch {
	case kind == "messages" && !q.filtersOneOf(messagesNeed):
		return badRequest("A list of messages needs at least one of these parameters: %s", strings.Join(messagesNeed, ", "))
	case kind == "conversations" && q.filtersMeta() && !q.filtersOneOf(metaNeeds):
		return badRequest("A search by meta needs at least one of these parameters: %s", strings.Join(metaNeeds, ", "))
	}
	return nil
}

func (q *query) filtersOneOf(paths []string) bool {
	for _, f := range q.filters {
		for _, p := range paths {
			if f.path == p {
				return true
			}
		}
	}
	return false
}

func (q *query) filtersMeta() bool {
	for _, f := range q.filters {
		if f.path == "meta" || strings.HasPrefix(f.path, "meta.") {
			return true
		}
	}
	return false
}

// exactly is the one value that a path must have, when a filter says so.
func (q *query) exactly(path string) (string, bool) {
	for _, f := range q.filters {
		if f.path == path && f.op == "=" && len(f.operands) == 1 {
			return f.operands[0].text, true
		}
	}
	return "", false
}

// next is the query of the page that starts at offset. Everything is percent
// encoded: a raw comma or semicolon would cut the Link header short in the
// official SDK.
func (q *query) next(offset int) string {
	var b strings.Builder
	for _, p := range q.pairs {
		if p.key != "offset" {
			b.WriteString(url.QueryEscape(p.key) + "=" + url.QueryEscape(p.value) + "&")
		}
	}
	b.WriteString("offset=" + strconv.Itoa(offset))
	return b.String()
}
