package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// document parses data into the root of its only YAML document, which is nil
// when the file says nothing. It returns false when there is no sense in
// looking further.
func (l *loader) document(data []byte) (*yaml.Node, bool) {
	if len(data) > maxFileBytes {
		l.blame(position{}, "", fmt.Sprintf("is larger than %d MiB", maxFileBytes>>20))
		return nil, false
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	doc, err := next(dec)
	if errors.Is(err, io.EOF) {
		return nil, true
	}
	second := doc
	if err == nil {
		second, err = next(dec)
	}
	switch {
	case err == nil:
		l.blame(position{second.Line, second.Column}, "", "a second document starts here, but the gateway reads only one; remove the line ---")
		return nil, false
	case !errors.Is(err, io.EOF):
		at, problem := syntaxProblem(err, data)
		l.blame(at, "", problem)
		return nil, false
	}
	return doc.Content[0], true
}

// next reads the next document. The parser of yaml.v3 panics on some malformed
// input, and a bad file must never stop a gateway that runs.
func next(dec *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("yaml: unknown problem")
		}
	}()
	doc = new(yaml.Node)
	return doc, dec.Decode(doc)
}

var (
	yamlError     = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntaxProblem turns an error of the parser into a place and a sentence. The
// parser gives a line at most; columns are found where the reason is known.
func syntaxProblem(err error, data []byte) (position, string) {
	at, text := position{1, 1}, err.Error()
	if m := yamlError.FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			at.line = n
		}
		text = m[2]
	}
	// The name of an anchor that does not exist may be a password that begins
	// with a star: it must not be shown.
	if m := unknownAnchor.FindStringSubmatch(text); m != nil {
		return find(data, "*"+m[1]), "a value that begins with * must stand in quotes, because YAML takes it for an alias"
	}
	if tab, ok := tabIndent(data); ok && strings.Contains(text, "token") {
		return tab, "a tab stands in the indentation; YAML is indented with spaces only"
	}
	if !utf8.Valid(data) {
		return at, "cannot read the file as YAML: it is not UTF-8"
	}
	if bare, ok := bareReference(data, at.line-1); ok {
		return bare, "a ${NAME} inside { } or [ ] must stand in quotes, because YAML takes its braces for a block"
	}
	return at, "cannot read the file as YAML near this line: " + text
}

// bareReference finds the first ${ without quotes inside { } or [ ] that begin on
// its line, in the line of an error or the one before or after: the parser names
// the line where the braces began to make no sense.
func bareReference(data []byte, line int) (position, bool) {
	lines := bytes.Split(data, []byte("\n"))
	for i := max(line-1, 0); i < min(line+2, len(lines)); i++ {
		var depth int
		var quote, before byte
		text, _, _ := bytes.Cut(lines[i], []byte(" #"))
		for j, c := range text {
			switch {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '{' && before == '$' && depth > 0:
				return position{i + 1, utf8.RuneCount(text[:j])}, true
			case c == '{' || c == '[':
				depth++
			}
			before = c
		}
	}
	return position{}, false
}

// tabIndent finds the first line that is indented with a tab.
func tabIndent(data []byte) (position, bool) {
	for i, line := range bytes.Split(data, []byte("\n")) {
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		if tab := bytes.IndexByte(indent, '\t'); tab >= 0 && len(indent) < len(line) {
			return position{i + 1, tab + 1}, true
		}
	}
	return position{}, false
}

// find returns where text first stands in data.
func find(data []byte, text string) position {
	before, _, found := bytes.Cut(data, []byte(text))
	if !found {
		return position{1, 1}
	}
	last := bytes.LastIndexByte(before, '\n') + 1
	return position{bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[last:]) + 1}
}
