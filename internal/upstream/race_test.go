package upstream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

func isBusy(err error) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Reason == ReasonNoFreeConns
}

// TestEveryClientGetsItsOwnAnswer is for the race detector most of all.
func TestEveryClientGetsItsOwnAnswer(t *testing.T) {
	b := play(t, func(p *peer) {
		for i := 0; ; i++ {
			text := p.request()
			body := text[len(text)-8:]
			switch r := rand.IntN(20); {
			case r == 0:
				p.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 8\r\n\r\n", body)
				return
			case r == 1:
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", body)
				return // without saying so: it may happen while the next request is written
			case r == 2:
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + body + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON")
			case r < 12:
				p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "8\r\n"+body+"\r\n", "0\r\n\r\n")
			default:
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + body)
			}
		}
	})
	c := b.client(func(cfg *Config) { cfg.MaxConnections = 6 })
	var all sync.WaitGroup
	for client := range 8 {
		all.Go(func() {
			var resp Response
			for i := range 100 {
				want := fmt.Sprintf("%03d-%04d", client, i)
				resp.Reset()
				err := c.Do(post(want), &resp)
				for isBusy(err) { // two more clients than connections: on a slow machine some wait too long
					err = c.Do(post(want), &resp)
				}
				if err != nil && err.(*Error).Reason != ReasonReset { //nolint:errorlint // Do returns it unwrapped
					t.Errorf("unexpected error: %v", err)
				} else if err == nil && string(resp.Body) != want {
					t.Errorf("got the answer %q, want %q", resp.Body, want)
				}
			}
		})
	}
	all.Wait()
	if s := c.Stats(); s.Open > 6 || s.Open != s.Idle {
		t.Errorf("got %+v, want all idle", s)
	}
}
