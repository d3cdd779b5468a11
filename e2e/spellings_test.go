package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// spelling is a request target that some router may read as a route that creates
// messages.
type spelling struct {
	target string
	route  *guardedRoute // what it was made from
}

// guardedRoute is a route that creates messages, as its documentation writes it,
// and a request body for it that says "same" in the conversation.
type guardedRoute struct{ path, body string }

// spelled is the conversation in which all spellings speak: an id of
// ChatShipper's form, with letters in it whose case could change.
const spelled = "65aa0e00aabbccddeeff0042"

var guardedRoutes = []*guardedRoute{
	{"/v2/messages", `{"conversation":"` + spelled + `","text":"same"}`},
	{"/v2/conversations/" + spelled + "/messages", `{"text":"same"}`},
	{"/v2/conversations", `{"type":"agent","messages":[{"text":"same"}]}`},
}

// messageOn is the message that a handler of the named route finds in the body;
// empty when there is none.
func (r *guardedRoute) messageOn(route string) string {
	switch embedded := strings.Contains(r.body, "messages"); {
	case route == "conversations" && !embedded:
		return ""
	case route == "conversations" || !embedded:
		return `{"text":"same"}`
	default:
		return r.body
	}
}

// mutations make other spellings of a target.
var mutations = []func(target string) []string{
	otherCase, encodedBytes, encodedTwice, replacedSlashes, insertedBytes, appended, prepended, lookalikes, otherIDs,
}

// spellings is the routes, everything that one mutation makes of them, and n
// targets made by several mutations. host is the authority of absolute targets.
func spellings(rng *rand.Rand, host string, n int) []spelling {
	var list []spelling
	seen := map[string]bool{}
	add := func(target string, r *guardedRoute) {
		target = strings.ReplaceAll(target, "HOST", host)
		// What ends a line is no spelling of a target but another request.
		if !seen[target] && !strings.ContainsAny(target, "\r\n") {
			seen[target] = true
			list = append(list, spelling{target, r})
		}
	}
	for _, r := range guardedRoutes {
		add(r.path, r)
		for _, mutate := range mutations {
			for _, target := range mutate(r.path) {
				add(target, r)
			}
		}
	}
	for range n {
		r := guardedRoutes[rng.IntN(len(guardedRoutes))]
		target := r.path
		for range 2 + rng.IntN(3) {
			made := mutations[rng.IntN(len(mutations))](target)
			if len(made) > 0 {
				target = made[rng.IntN(len(made))]
			}
		}
		add(target, r)
	}
	return list
}

// otherCase is every letter alone in the other case, and all of them.
func otherCase(target string) []string {
	list := []string{strings.ToUpper(target), strings.ToLower(target)}
	for i, c := range []byte(target) {
		if isLetter(c) {
			list = append(list, target[:i]+string(rune(c^0x20))+target[i+1:])
		}
	}
	return list
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func percent(c byte) string { return fmt.Sprintf("%%%02X", c) }

// encodedBytes is every byte alone percent-encoded, with hex digits of either
// case, and all of them at once.
func encodedBytes(target string) []string {
	var list []string
	all := ""
	for i := range len(target) {
		code := percent(target[i])
		list = append(list, target[:i]+code+target[i+1:], target[:i]+strings.ToLower(code)+target[i+1:])
		all += code
	}
	return append(list, all, "/"+all[3:], strings.ReplaceAll(all, "%2F", "/"))
}

// encodedTwice is every byte encoded as often as a chain of proxies could decode
// it, or in a way that no standard knows.
func encodedTwice(target string) []string {
	var list []string
	for i := range len(target) {
		before, c, after := target[:i], target[i], target[i+1:]
		for _, code := range []string{"%%25%02X", "%%2525%02X", "%%u00%02X", "%%C0%%%02X"} {
			list = append(list, before+fmt.Sprintf(code, c)+after)
		}
	}
	return list
}

// replacedSlashes is something that may mean a slash, or a slash and nothing
// more, in the place of each slash.
func replacedSlashes(target string) []string {
	var list []string
	for i := range len(target) {
		if target[i] != '/' {
			continue
		}
		for _, slash := range []string{
			"", "//", "///", "/./", "/.//", "/x/../", "/x/%2e%2e/", "/x/.%2e/", "/x/%2E./", "/%2e/", "/%2E/", "/../", "/%2e%2e/", "/..;/", "/.;/", "/;/", "/;a=b/", ";/", ";a=b/",
			"%2f", "%2F", "%2f/", "/%2f", "%252f", "%25252f", "%5c", "%5C", `\`, `\/`, `/\`, "%c0%af", "%u002f", "%ef%bc%8f", "/%20/", "/%09/", "/%00/", "%00/", "/%00", "%20/", "/%20", "/?/", "/#/", "/*/", "/./../v2/", "/%2fx/../",
		} {
			list = append(list, target[:i]+slash+target[i+1:])
		}
	}
	return list
}

// insertedBytes is every byte, raw and encoded, at the end and behind the first
// slash.
func insertedBytes(target string) []string {
	var list []string
	for _, at := range []int{len(target), min(1, len(target))} {
		for c := range 256 {
			if c < 0x80 || c%16 == 0 { // the others beyond ASCII are like these
				list = append(list, target[:at]+percent(byte(c))+target[at:], target[:at]+string([]byte{byte(c)})+target[at:])
			}
		}
	}
	return list
}

// appended is what may follow a path without making another one of it.
func appended(target string) []string {
	var list []string
	for _, suffix := range []string{
		"/", "//", "///", "/.", "/./", "/..", "/../messages", "/x/..", "/x/../", "/%2e", "/%2e/", "/%2e%2e", "/x/%2e%2e", "/%2f", "%2f", "%2F", "%2f%2f", "%252f", "%5c", `\`, "/%20", "%20", "+", "%09", "%0a", "%0d%0a", "%00", "%00.json",
		"?", "??", "?a=b", "?a=b?c", "?/", "/?", "/?a", "%3f", "%3Fa=b", "?#", "?a=%00", "?a=%", "?a= b", "?%2f..%2f", "?/../../x", "&a=b", "?_method=GET", "?conversation=x",
		"#", "#x", "#/x", "/#", "%23", "%23x", "?a#b", ";", ";a=b", ";/", "/;", "/;a", "%3b", "%3Ba", ";a=b?c", ".", "..", ".json", ".html", "%2ejson", "%", "%2", "%zz", "%%", "%u0000", "*", "~", "'", "\"", "<", "|", "^", "`", "{", "}", "(", ")", "!", "$", ",", "=", "@", ":", " ", "\t", " HTTP/1.1",
	} {
		list = append(list, target+suffix)
	}
	return list
}

// prepended is what may stand before a path without making another one of it.
func prepended(target string) []string {
	var list []string
	for _, prefix := range []string{
		"/", "//", "/.", "/..", "/./.", "/x/..", "/x/../..", "/%2e", "/%2e%2e", "/x/%2e%2e", "/%2f", "%2f", `\`, `/\`, "/;", "/;a=b", ";", "/%20", "/%00", "?", "/?", "#", "/#", "*", "/*", ".", "..", "~", "/~",
		"http://HOST", "HTTP://HOST", "hTTp://HOST", "https://HOST", "HTTPS://HOST", "http://HOST/", "http://HOST/.", "http://HOST?", "http://HOST#", "http://HOST;", "http:///", "http:/", "http:", "http://", "//HOST", "ws://HOST", "ftp://HOST", "urn:HOST", "http:HOST", "HOST",
		"http://user@HOST", "http://user:secret@HOST", "http://HOST:80", "http://evil.example", "http://HOST@evil.example", "http://evil.example@HOST", `http:\\HOST`, `http://HOST\`, "http://HOST%2f", "/http://HOST", "/v2/..", "/v2/%2e%2e", "/V2/../", "/v1/../",
	} {
		list = append(list, prefix+target)
	}
	return list
}

// lookalikes are letters that fold to ours in some alphabet, and overlong UTF-8.
func lookalikes(target string) []string {
	var list []string
	for _, pair := range [][2]string{{"s", "\u017f"}, {"k", "\u212a"}, {"i", "\u0131"}, {"i", "\u0130"}, {"e", "\u0435"}, {"v", "\uff56"}, {"m", "\uff4d"}, {"2", "\uff12"}, {"2", "\u00b2"}, {"/", "\uff0f"}, {"/", "\u2215"}, {".", "\u3002"}} {
		if i := strings.LastIndex(target, pair[0]); i >= 0 {
			encoded := ""
			for _, c := range []byte(pair[1]) {
				encoded += percent(c)
			}
			list = append(list, target[:i]+pair[1]+target[i+1:], target[:i]+encoded+target[i+1:])
		}
	}
	return list
}

// otherIDs is ids that mean something to somebody, in the place of ours.
func otherIDs(target string) []string {
	if !strings.Contains(target, spelled) {
		return nil
	}
	var list []string
	for _, id := range []string{
		"", ".", "..", "...", "%2e", "%2e%2e", ".%2e", "%252e%252e", "%2f", "a%2fb", "a%2Fmessages", "%2f" + spelled, spelled + "%2f", spelled + "%2f..", "..%2f" + spelled, "..%2f..", "%2e%2e%2f" + spelled,
		spelled + "%00", "%00", spelled + "%20", "%20" + spelled, "%09" + spelled, spelled + "%0a", spelled + "+", "+", "%2b", spelled + ";a", spelled + "%3ba", spelled + "?", spelled + "%3f", spelled + "#", spelled + "%23", spelled + ".json", spelled + "." + spelled, spelled + "," + spelled, spelled + "&", spelled + "=",
		"%ff", "%C3%A9", "é", "%e2%82", "%F0%9F%98%80", "%ed%a0%80", "%c0%ae", "%zz", "%", "%u0036", ":id", "*", "{id}", "$ne", "[object%20Object]", "null", "undefined", "0", "-1", "a", strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("a", 100), strings.Repeat("a", 101), "messages", "conversations", "__proto__", "constructor", "con%73tructor",
		strings.ToUpper(spelled), "65AA0e00aabbccddeeff0042", "%36%35aa0e00aabbccddeeff0042", "0x" + spelled, spelled[:23], spelled + "0", "{" + spelled + "}", "(" + spelled + ")", "%22" + spelled + "%22", "'" + spelled + "'",
	} {
		list = append(list, strings.Replace(target, spelled, id, 1))
	}
	return list
}
