package trace

import "google.golang.org/protobuf/encoding/protowire"

// Kind is what part of a call a span is.
type Kind uint8

// The kinds, by their numbers in OTLP.
const (
	Server Kind = 2
	Client Kind = 3
)

// Span is one step of a trace, from Start to End in ns since 1970. Names of
// attributes are those of OpenTelemetry's semantic conventions.
type Span struct {
	TraceID    [16]byte
	ID         [8]byte
	Parent     [8]byte // zero for the first span of a trace
	Remote     bool    // the parent is another process's
	State      string  // the tracestate that came with the parent
	Kind       Kind
	Name       string
	Start, End int64
	Failed     bool
	Attributes []Attribute
}

// Attribute is one thing that is known of a span: a text, or a number.
type Attribute struct {
	Key, Text string
	Number    int64
	isNumber  bool
}

// Text makes an attribute with a text.
func Text(key, value string) Attribute { return Attribute{Key: key, Text: value} }

// Number makes an attribute with a number.
func Number(key string, value int64) Attribute {
	return Attribute{Key: key, Number: value, isNumber: true}
}

// schema is the version of the semantic conventions that the names are of.
const schema = "https://opentelemetry.io/schemas/1.37.0"

// scope is what the spans say that made them.
const scope = "github.com/chatshipper/gateway"

// The fields of OTLP's messages, by their numbers in opentelemetry/proto/trace/v1,
// common/v1 and resource/v1, of which there is one stable version.
const (
	requestResourceSpans = 1

	resourceSpansResource = 1
	resourceSpansScope    = 2
	resourceSpansSchema   = 3
	resourceAttributes    = 1

	scopeSpansScope = 1
	scopeSpansSpan  = 2
	scopeName       = 1

	spanTraceID    = 1
	spanID         = 2
	spanState      = 3
	spanParent     = 4
	spanName       = 5
	spanKind       = 6
	spanStart      = 7
	spanEnd        = 8
	spanAttributes = 9
	spanStatus     = 15
	spanFlags      = 16

	statusCode  = 3
	statusError = 2

	attributeKey    = 1
	attributeValue  = 2
	valueText       = 1
	valueNumber     = 3
	knowsItsParent  = 0x100 // flags: whether the parent is remote is said by the next
	parentIsElse    = 0x200
	flagsOfExported = Sampled | knowsItsParent
)

// appendRequest writes an ExportTraceServiceRequest.
func appendRequest(b []byte, resource []Attribute, spans []*Span) []byte {
	return nest(b, requestResourceSpans, func(b []byte) []byte {
		b = nest(b, resourceSpansResource, func(b []byte) []byte {
			return appendAttributes(b, resourceAttributes, resource)
		})
		b = nest(b, resourceSpansScope, func(b []byte) []byte {
			b = nest(b, scopeSpansScope, func(b []byte) []byte { return appendText(b, scopeName, scope) })
			for _, s := range spans {
				b = nest(b, scopeSpansSpan, s.append)
			}
			return b
		})
		return appendText(b, resourceSpansSchema, schema)
	})
}

// append writes the fields of a span.
func (s *Span) append(b []byte) []byte {
	b = appendBytes(b, spanTraceID, s.TraceID[:])
	b = appendBytes(b, spanID, s.ID[:])
	if s.State != "" {
		b = appendText(b, spanState, s.State)
	}
	if s.Parent != [8]byte{} {
		b = appendBytes(b, spanParent, s.Parent[:])
	}
	b = appendText(b, spanName, s.Name)
	b = appendNumber(b, spanKind, uint64(s.Kind))
	b = protowire.AppendFixed64(protowire.AppendTag(b, spanStart, protowire.Fixed64Type), uint64(s.Start))
	b = protowire.AppendFixed64(protowire.AppendTag(b, spanEnd, protowire.Fixed64Type), uint64(s.End))
	b = appendAttributes(b, spanAttributes, s.Attributes)
	if s.Failed {
		b = nest(b, spanStatus, func(b []byte) []byte { return appendNumber(b, statusCode, statusError) })
	}
	flags := uint32(flagsOfExported)
	if s.Remote {
		flags |= parentIsElse
	}
	return protowire.AppendFixed32(protowire.AppendTag(b, spanFlags, protowire.Fixed32Type), flags)
}

func appendAttributes(b []byte, field protowire.Number, list []Attribute) []byte {
	for i := range list {
		a := &list[i]
		b = nest(b, field, func(b []byte) []byte {
			b = appendText(b, attributeKey, a.Key)
			return nest(b, attributeValue, func(b []byte) []byte {
				if a.isNumber {
					return appendNumber(b, valueNumber, uint64(a.Number))
				}
				return appendText(b, valueText, a.Text)
			})
		})
	}
	return b
}

// nest writes a message inside of another: its length comes before it.
func nest(b []byte, field protowire.Number, fill func([]byte) []byte) []byte {
	return appendBytes(b, field, fill(nil))
}

func appendText(b []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendBytes(b []byte, field protowire.Number, data []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), data)
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}
