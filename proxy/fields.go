package proxy

import (
	"bytes"

	"github.com/chatshipper/gateway/internal/http1"
)

// maxFields is how many header lines a request may have, whatever their size.
const maxFields = 100

// fieldKind classifies the header fields that the gateway itself acts on.
type fieldKind uint8

const (
	fieldOther            fieldKind = iota
	fieldHost                       // rewritten
	fieldCredential                 // judged, then forwarded as it is
	fieldContentType                // judged on guarded routes, forwarded
	fieldContentEncoding            // judged on guarded routes, forwarded
	fieldContentLength              // framing: written anew
	fieldTransferEncoding           // framing: dropped, bodies go upstream with a length
	fieldConnection                 // hop-by-hop: names further fields to drop
	fieldHopByHop                   // dropped
	fieldUpgrade                    // dropped, but for a WebSocket
	fieldExpect                     // answered by us
	fieldForwardedFor               // believed from trusted proxies, written anew
	fieldForwarded                  // believed from trusted proxies, then dropped
	fieldForwardedHost              // believed from trusted proxies, written anew
	fieldForwardedProto             // believed from trusted proxies, written anew
	fieldForwardedOther             // X-Real-IP and its kin: dropped unless the peer is trusted
	fieldRequestID                  // kept from trusted proxies, else made
	fieldMethodOverride             // refused: it would hide the method from the rules
	fieldAccept                     // decides the form of our own errors
	fieldTraceparent                // which trace it belongs to; written anew when we take part
	fieldTracestate                 // of the trace that traceparent names
	fieldKinds
)

// field is one header line, as spans of the request's raw header block.
type field struct {
	name, value []byte
	start, end  int32 // of its line, with the line's end, in the block
	kind        fieldKind
	drop        bool
	plain       bool // the line is what appendField writes
}

// fields is the strict reading of a request's header block. It borrows from the
// block and lives no longer than the request.
type fields struct {
	list  [maxFields]field
	n     int
	first [fieldKinds]int16 // index+1 of the first field of a kind
	count [fieldKinds]uint8
}

func (f *fields) reset() {
	f.n = 0
	f.first = [fieldKinds]int16{}
	f.count = [fieldKinds]uint8{}
}

// get returns the value of the first field of a kind, or nil.
func (f *fields) get(kind fieldKind) []byte {
	if i := f.first[kind]; i > 0 {
		return f.list[i-1].value
	}
	return nil
}

// named returns the value of the first field of a name that has no kind.
func (f *fields) named(name string) []byte {
	for i := range f.n {
		if x := &f.list[i]; len(x.name) == len(name) && hasPrefixFold(x.name, name) {
			return x.value
		}
	}
	return nil
}

// problem is why a request's head can't be accepted; empty means that it can.
type problem string

const (
	badLine      problem = "A header line is malformed: each must end in CRLF, start with a name and hold a colon."
	badFold      problem = "A header line starts with white space; folded header lines are not accepted."
	badName      problem = "A header name holds a character that is not allowed there; only letters, digits and !#$%&'*+-.^`|~ are."
	badValue     problem = "A header value holds a control character."
	badDuplicate problem = "A header that may occur only once occurs twice."
	badLength    problem = "The Content-Length header is not a plain number."
	badFraming   problem = "The request has both Content-Length and Transfer-Encoding, or a Transfer-Encoding other than chunked."
	badOverride  problem = "Method override headers are not supported; send the request with the method itself."
	tooMany      problem = "The request has more than 100 header lines."
)

// parse reads raw, the exact header block with its final blank line, and
// refuses everything that two parsers could read differently. ends are where its
// first lines end, as far as that is known. credential is the name of the header
// that carries the API key.
func (f *fields) parse(raw []byte, ends []uint16, credential []byte) problem {
	f.reset()
	for at := 0; at < len(raw); {
		var end int
		if len(ends) > 0 {
			end, ends = int(ends[0]), ends[1:]
		} else {
			end = at + bytes.IndexByte(raw[at:], '\n') + 1
		}
		last := end - len("\r\n")
		if last < at || raw[last] != '\r' {
			return badLine
		}
		if last == at {
			break
		}
		if p := f.parseLine(raw[at:last], credential); p != "" {
			return p
		}
		added := &f.list[f.n-1]
		added.start, added.end = int32(at), int32(end)
		at = end
	}
	return f.check()
}

func (f *fields) parseLine(line, credential []byte) problem {
	colon := 0
	for colon < len(line) && tokenBytes[line[colon]] {
		colon++
	}
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return misnamed(line)
	}
	name, value := line[:colon], http1.Trim(line[colon+1:])
	if !http1.IsFieldValue(value) {
		return badValue
	}
	if f.n == maxFields {
		return tooMany
	}
	kind := classify(name)
	if equalFold(name, credential) {
		kind = fieldCredential
	}
	f.list[f.n] = field{name: name, value: value, kind: kind, plain: len(value) == len(line)-colon-len(": ") && line[colon+1] == ' '}
	f.n++
	if f.first[kind] == 0 {
		f.first[kind] = int16(f.n)
	}
	f.count[kind]++
	return ""
}

// misnamed says what is wrong with a line that does not begin with a name and a colon.
func misnamed(line []byte) problem {
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return badFold
	case bytes.IndexByte(line, ':') < 1:
		return badLine
	}
	return badName
}

// check judges the block as a whole: what may not occur twice, and framing.
func (f *fields) check() problem {
	for _, kind := range [...]fieldKind{
		fieldHost, fieldCredential, fieldContentType, fieldContentEncoding,
		fieldContentLength, fieldTransferEncoding, fieldExpect,
	} {
		if f.count[kind] > 1 {
			return badDuplicate
		}
	}
	if f.count[fieldMethodOverride] > 0 {
		return badOverride
	}
	if f.count[fieldContentLength] > 0 && !isDigits(f.get(fieldContentLength)) {
		return badLength
	}
	if f.count[fieldTransferEncoding] > 0 &&
		(f.count[fieldContentLength] > 0 || !equalFold(f.get(fieldTransferEncoding), []byte("chunked"))) {
		return badFraming
	}
	return ""
}

// isWebSocket reports whether the request asks for a WebSocket, and for nothing
// else: other upgrades (h2c) would lead past the rules.
func (f *fields) isWebSocket() bool {
	found := false
	for i := range f.n {
		if x := &f.list[i]; x.kind == fieldUpgrade {
			if found || !equalFold(x.value, []byte("websocket")) {
				return false
			}
			found = true
		}
	}
	return found && f.count[fieldTransferEncoding] == 0 && f.count[fieldContentLength] == 0
}

// hasWord reports whether a comma-separated list holds a word.
func hasWord(list []byte, word string) bool {
	for len(list) > 0 {
		var w []byte
		w, list, _ = bytes.Cut(list, []byte{','})
		if w = http1.Trim(w); len(w) == len(word) && hasPrefixFold(w, word) {
			return true
		}
	}
	return false
}

// dropNominated marks the fields that a Connection field names, except those
// that a client must not be able to remove: what the rules and the upstream
// rely on.
func (f *fields) dropNominated() {
	if f.count[fieldConnection] == 0 {
		return
	}
	for i := range f.n {
		if f.list[i].kind != fieldConnection {
			continue
		}
		rest := f.list[i].value
		for len(rest) > 0 {
			var name []byte
			name, rest, _ = bytes.Cut(rest, []byte{','})
			f.drop(http1.Trim(name))
		}
	}
}

func (f *fields) drop(name []byte) {
	for i := range f.n {
		x := &f.list[i]
		if x.kind.droppable() && !isProtected(x.name) && equalFold(x.name, name) {
			x.drop = true
		}
	}
}

// droppable reports whether a Connection field may name a field of this kind.
func (k fieldKind) droppable() bool {
	return k == fieldOther || k == fieldAccept || k == fieldTraceparent || k == fieldTracestate
}

// isProtected reports whether a Connection field may not nominate name.
func isProtected(name []byte) bool {
	return equalFold(name, []byte("Cookie")) || hasPrefixFold(name, "Content-") || hasPrefixFold(name, "X-Forwarded-")
}

// knownFields lists the names that classify looks for, by length.
var knownFields = func() (byLength [32][]struct {
	name []byte
	kind fieldKind
},
) {
	for name, kind := range map[string]fieldKind{
		"Host": fieldHost, "Authorization": fieldCredential,
		"Content-Type": fieldContentType, "Content-Encoding": fieldContentEncoding,
		"Content-Length": fieldContentLength, "Transfer-Encoding": fieldTransferEncoding,
		"Connection": fieldConnection, "Keep-Alive": fieldHopByHop, "Proxy-Connection": fieldHopByHop,
		"Proxy-Authorization": fieldHopByHop, "Proxy-Authenticate": fieldHopByHop, "TE": fieldHopByHop,
		"Trailer": fieldHopByHop, "Upgrade": fieldUpgrade, "HTTP2-Settings": fieldHopByHop,
		"Expect": fieldExpect, "X-Forwarded-For": fieldForwardedFor, "Forwarded": fieldForwarded,
		"X-Forwarded-Host": fieldForwardedHost, "X-Forwarded-Proto": fieldForwardedProto,
		"X-Forwarded-Port": fieldForwardedOther, "X-Forwarded-Server": fieldForwardedOther,
		"X-Forwarded-Prefix": fieldForwardedOther, "X-Forwarded-Scheme": fieldForwardedOther,
		"X-Real-IP": fieldForwardedOther, "True-Client-IP": fieldForwardedOther,
		"X-Client-IP": fieldForwardedOther, "X-Cluster-Client-IP": fieldForwardedOther,
		"CF-Connecting-IP": fieldForwardedOther, "X-Request-ID": fieldRequestID,
		"X-HTTP-Method-Override": fieldMethodOverride, "X-HTTP-Method": fieldMethodOverride,
		"X-Method-Override": fieldMethodOverride, "Accept": fieldAccept,
		"Traceparent": fieldTraceparent, "Tracestate": fieldTracestate,
	} {
		byLength[len(name)] = append(byLength[len(name)], struct {
			name []byte
			kind fieldKind
		}{[]byte(name), kind})
	}
	return byLength
}()

func classify(name []byte) fieldKind {
	if len(name) >= len(knownFields) {
		return fieldOther
	}
	for i := range knownFields[len(name)] {
		if k := &knownFields[len(name)][i]; equalFold(k.name, name) {
			return k.kind
		}
	}
	return fieldOther
}
