package upstream

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/loop"
)

// pourer reads a streamed body through a pipe, as far as it can be poured.
type pourer struct {
	t    testing.TB
	resp *Response
}

func (p pourer) Read(b []byte) (int, error) {
	if p.resp.Pipe == nil {
		p.resp.Pipe = loop.NewPipe()
	}
	if p.resp.Pipe == nil {
		return p.resp.Stream.Read(b)
	}
	if p.resp.Pipe.Len() == 0 {
		n, err := p.resp.Pour(p.resp.Pipe)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return p.resp.Stream.Read(b)
		case n != p.resp.Pipe.Len():
			p.t.Errorf("poured %d bytes, and the pipe holds %d", n, p.resp.Pipe.Len())
		case err != nil:
			return 0, err
		}
	}
	n, err := p.resp.Pipe.Read(b)
	return n, err
}

func TestALargeAnswerStaysInTheKernel(t *testing.T) {
	const size = 100_000
	cut := play(t, func(p *peer) { // the third answer breaks off
		for i := range 3 {
			p.request()
			text := answerOf(size)
			if i == 2 {
				text = text[:size]
			}
			p.say(text)
		}
	})
	c := cut.client()
	want := answerOf(size)
	onLoop(t, func(task *loop.Task) {
		var resp Response
		for i := range 4 {
			rest(t, task)
			resp.Reset()
			err := c.Do(&Request{Head: get("/").Head, Task: task, Pipes: i > 0}, &resp)
			if i == 2 {
				if failure := (*Error)(nil); !errors.As(err, &failure) || failure.Reason != ReasonTruncated || resp.Pipe != nil {
					t.Errorf("an answer that breaks off: %v, %d bytes in a pipe", err, resp.Pipe.Len())
				}
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if got := len(resp.Body); i == 1 && got > firstRead || i == 0 && got != size {
				t.Errorf("answer %d: %d bytes were read", i, got)
			}
			if body, err := resp.Pipe.Append(resp.Body); i == 1 && (err != nil || !strings.HasSuffix(want, string(body)) || len(body) != size) {
				t.Errorf("answer %d: %d bytes arrived, %v", i, len(body), err)
			}
		}
	})
}

func TestAnAnswerInTooManyPiecesForAPipeArrivesWhole(t *testing.T) {
	const size = 16_000
	pieces := play(t, func(p *peer) {
		p.request()
		p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size))
		for i := range size / 20 {
			p.say(fmt.Sprintf("%020d", i))
			if i%10 == 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}
	})
	c := pieces.client()
	onLoop(t, func(task *loop.Task) {
		var resp Response
		if err := c.Do(&Request{Head: get("/").Head, Task: task, Pipes: true}, &resp); err != nil {
			t.Error(err)
			return
		}
		defer resp.Reset()
		body, err := resp.Pipe.Append(resp.Body)
		if err != nil || len(body) != size {
			t.Errorf("%d bytes and %v, want %d", len(body), err, size)
		}
		for i := range len(body) / 20 {
			if got, want := string(body[20*i:20*i+20]), fmt.Sprintf("%020d", i); got != want {
				t.Fatalf("piece %d is %s", i, got)
			}
		}
	})
}
