package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// cutShape is one way to die inside an answer.
type cutShape struct {
	name     string
	says     string // everything that the upstream says before it dies
	streamed bool   // the client has the head of a success by then
}

// cutShapes are Content-Length or chunked, at a boundary or inside, buffered or
// streamed. The gateway of the test streams answers above 1 KiB.
func cutShapes() (shapes []cutShape) {
	for _, streamed := range []bool{false, true} {
		piece, held := strings.Repeat("x", 256), "buffered"
		if streamed {
			piece, held = strings.Repeat("x", 8<<10), "streamed"
		}
		length := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 3*len(piece))
		const chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		chunk := fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
		add := func(name, says string) {
			shapes = append(shapes, cutShape{name + ", " + held, says, streamed})
		}
		add("Content-Length, behind the head", length)
		add("Content-Length, inside the body", length+piece)
		add("chunked, between two chunks", chunks+chunk)
		add("chunked, inside a chunk", chunks+chunk+chunk[:len(chunk)/2])
	}
	return shapes
}

// Half of the deaths are an orderly close, half a reset; half of the requests are
// POSTs. After each the gateway must serve the next request, and not on the dead
// connection.
func TestFaultUpstreamDiesInsideAnAnswer(t *testing.T) {
	t.Parallel()
	shapes := cutShapes()
	up := startFaulty(t, func(a *ask) bool {
		if a.URL.Path == "/v2/whole" {
			a.say(echo(a))
			return true
		}
		var shape int
		_, _ = fmt.Sscanf(a.URL.Path, "/v2/cut/%d", &shape)
		a.say(shapes[shape].says)
		if a.URL.RawQuery == "reset" {
			a.reset()
		}
		return false
	})
	g := startGateway(t, up.URL, setup{upstream: "stream_above: 1KiB", rest: noRequestLimits})
	each := counts(12, 100)
	silent, unshaped, repeated, next := 0, 0, 0, 0
	for n, shape := range shapes {
		for i := range each {
			id := fmt.Sprintf("%d-%d", n, i)
			v := &visitor{address: g.address}
			if err := v.whole(id + "-before"); err != nil { // leaves a pooled connection to die on
				t.Errorf("%s: %v", shape.name, err)
			}
			method, how := [...]string{"GET", "POST"}[i%2], [...]string{"close", "reset"}[i/2%2]
			a, err := v.send(method, fmt.Sprintf("/v2/cut/%d?%s", n, how), id, "")
			switch {
			case err == nil && a.status < 400:
				silent++
				t.Errorf("%s, %s, %s: a success of %d bytes, as if it were whole", shape.name, method, how, len(a.body))
			case err == nil && !isOurs(a, 502), err != nil && !shape.streamed:
				unshaped++
				t.Errorf("%s, %s, %s: got %s, %v", shape.name, method, how, a, err)
			}
			if up.arrived(id) != 1 {
				repeated++
			}
			if v.whole(id+"-after") != nil {
				next++
			}
			v.leave()
		}
	}
	if repeated > 0 || next > 0 {
		t.Errorf("%d requests were repeated, %d requests after it failed", repeated, next)
	}
	figure(t, "upstream dies inside an answer: %d shapes x %d: %d silent successes, %d malformed errors, %d repeated, %d failures of the next request",
		len(shapes), each, silent, unshaped, repeated, next)
}

// whole sends a request that the upstream answers.
func (v *visitor) whole(id string) error {
	a, err := v.send(http.MethodGet, "/v2/whole", id, "")
	return wantEcho(a, err, id)
}

// isOurs reports whether an answer is one of the gateway's own errors.
func isOurs(a answer, status int) bool {
	return a.status == status && strings.HasPrefix(a.header.Get("Content-Type"), "application/json") &&
		strings.Contains(string(a.body), `"message":`) && strings.Contains(string(a.body), `"code":`)
}
