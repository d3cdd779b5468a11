package proxy

import (
	"bytes"
	"strings"
)

// method is the closed set of method names, used as a metric label.
type method uint8

const (
	methodOther method = iota
	methodGet
	methodHead
	methodOptions
	methodPost
	methodPatch
	methodDelete
	methodPut
	methodCount
)

var methodNames = [methodCount]string{"other", "GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE", "PUT"}

// String is the method's metric label.
func (m method) String() string { return methodNames[m] }

// idempotent reports whether a request may be sent once more when a reused
// connection turns out to be dead before any byte of an answer (RFC 9110).
func (m method) idempotent() bool { return m != methodOther && m != methodPost && m != methodPatch }

// takesBody reports whether a request of this method always says how long its
// body is, even when it is empty.
func (m method) takesBody() bool { return m == methodPost || m == methodPatch || m == methodPut }

func methodOf(name []byte) method {
	for m := methodGet; m < methodCount; m++ {
		if string(name) == methodNames[m] {
			return m
		}
	}
	return methodOther
}

// methods is the compiled `methods:` block.
type methods struct {
	known      [methodCount]bool
	other      []string
	allow      string // for the Allow header
	exceptions []methodException
}

type methodException struct {
	method   string
	segments []string // {name} stands for one segment
}

func compileMethods(cfg Methods) methods {
	m := methods{allow: strings.Join(cfg.Allow, ", ")}
	for _, name := range cfg.Allow {
		if k := methodOf([]byte(name)); k != methodOther {
			m.known[k] = true
		} else {
			m.other = append(m.other, name)
		}
	}
	for _, e := range cfg.Exceptions {
		m.exceptions = append(m.exceptions, methodException{e.Method, strings.Split(strings.Trim(e.Path, "/"), "/")})
	}
	return m
}

// allowed reports whether a method may be used on a path. It allocates only
// for methods that are not in the allow list.
func (m *methods) allowed(k method, name, path []byte) bool {
	if k != methodOther && m.known[k] {
		return true
	}
	if k == methodOther {
		for _, other := range m.other {
			if string(name) == other {
				return true
			}
		}
	}
	for i := range m.exceptions {
		if e := &m.exceptions[i]; e.method == string(name) && e.matches(path) {
			return true
		}
	}
	return false
}

// allowHeader lists what may be used on a path.
func (m *methods) allowHeader(path []byte) string {
	allow := m.allow
	for i := range m.exceptions {
		if e := &m.exceptions[i]; e.matches(path) {
			allow += ", " + e.method
		}
	}
	return allow
}

func (e *methodException) matches(path []byte) bool {
	path = bytes.TrimPrefix(path, []byte{'/'})
	for i, want := range e.segments {
		segment, rest, more := bytes.Cut(path, []byte{'/'})
		wild := strings.HasPrefix(want, "{") && strings.HasSuffix(want, "}")
		if (wild && len(segment) == 0) || (!wild && string(segment) != want) || more != (i < len(e.segments)-1) {
			return false
		}
		path = rest
	}
	return true
}
