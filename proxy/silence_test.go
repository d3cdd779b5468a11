package proxy

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// tunnelled are the two ends of a joined pair of connections; ended is closed
// when join has returned.
func tunnelled(idle time.Duration) (client, server net.Conn, ended <-chan struct{}) {
	client, ours := net.Pipe()
	theirs, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		join(ours, theirs, idle)
		_, _ = ours.Close(), theirs.Close()
		close(done)
	}()
	return client, server, done
}

func isEnded(ended <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

func TestATunnelEndsWhenBothSidesAreSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, ended := tunnelled(time.Hour)
		for range 3 { // one of the two speaks before each hour is over
			for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
				time.Sleep(59 * time.Minute)
				go func() { _, _ = io.WriteString(way[0], "ping") }()
				if _, err := io.ReadFull(way[1], make([]byte, 4)); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Hour - time.Second)
		if isEnded(ended) {
			t.Error("the tunnel ended before an hour of silence")
		}
		time.Sleep(time.Second)
		if !isEnded(ended) {
			t.Error("the tunnel did not end after an hour of silence")
		}
	})
}

func TestATunnelEndsWhenOneSideBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, ended := tunnelled(time.Hour)
		_ = client.Close() // a pipe can't be half-closed: its end is a break
		if !isEnded(ended) {
			t.Error("the tunnel outlived its client")
		}
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the other side got %v, want its end", err)
		}
	})
}
