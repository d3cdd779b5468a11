package sandbox

import "strings"

// view is a resource as the API shows it: a conversation gets the ids of its
// messages, which are kept apart.
func (st *store) view(kind string, doc object) object {
	if kind != "conversations" || doc == nil {
		return doc
	}
	thread := st.threads[doc.text("id")]
	ids := make([]any, len(thread))
	for i, m := range thread {
		ids[i] = m.doc.get("id")
	}
	return doc.with("messages", ids)
}

// render is the view with populate and select applied.
func (st *store) render(kind string, doc object, q *query) object {
	if len(q.selects) == 0 || wanted(q.selects, "messages") {
		doc = st.view(kind, doc)
	}
	for _, path := range q.populate {
		doc = st.populate(doc, path).(object)
	}
	if len(q.selects) > 0 {
		doc = project(doc, append([]string{"id"}, q.selects...))
	}
	return doc
}

// populate replaces the id at a dotted path, or every id of a list there, by
// the resource of that id. What is no id of anything stays.
func (st *store) populate(v any, path string) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = st.populate(e, path)
		}
		return list
	case object:
		head, rest, deeper := strings.Cut(path, ".")
		if !v.has(head) {
			return v
		}
		next := st.resolve(v.get(head), head)
		if deeper {
			next = st.populate(next, rest)
		}
		return v.with(head, next)
	}
	return v
}

func (st *store) resolve(v any, field string) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = st.resolve(e, field)
		}
		return list
	case string:
		if doc := st.referred(field, v); doc != nil {
			return doc
		}
	}
	return v
}

// referred is the resource that an id means in a field of that name: "user"
// and "users" are users, and so on; in any other field ids are unambiguous.
func (st *store) referred(field, id string) object {
	for _, name := range []string{field, field + "s"} {
		if _, known := titles[name]; known {
			return st.view(name, st.doc(name, id))
		}
	}
	return st.anywhere(id)
}

func wanted(paths []string, field string) bool {
	for _, p := range paths {
		if p == field || strings.HasPrefix(p, field+".") {
			return true
		}
	}
	return false
}

// project keeps what the dotted paths name.
func project(doc object, paths []string) object {
	out := object{}
	for _, m := range doc {
		var deeper []string
		whole := false
		for _, p := range paths {
			head, rest, dotted := strings.Cut(p, ".")
			switch {
			case head != m.key:
			case dotted:
				deeper = append(deeper, rest)
			default:
				whole = true
			}
		}
		switch {
		case whole:
			out = append(out, m)
		case deeper != nil:
			out = append(out, member{m.key, projectValue(m.value, deeper)})
		}
	}
	return out
}

func projectValue(v any, paths []string) any {
	switch v := v.(type) {
	case object:
		return project(v, paths)
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = projectValue(e, paths)
		}
		return list
	}
	return v
}
