package proxy

import (
	"errors"
	"io"
	"net"
	"time"
)

// tunnelIdle is how long a WebSocket may be silent in both directions.
const tunnelIdle = time.Hour

// openTunnel hands the connection over to a WebSocket. Nothing of the exchange
// goes with it.
func (x *exchange) openTunnel() {
	client, server := x.conn.Net(), x.answer.Tunnel
	x.answer.Tunnel = nil
	x.conn.Tunnel(func(early []byte) {
		defer func() { _ = server.Close() }()
		if _, err := server.Write(early); err != nil {
			return
		}
		join(client, server)
	})
}

func (x *exchange) closeTunnel() {
	if x.answer.Tunnel != nil {
		_ = x.answer.Tunnel.Close()
		x.answer.Tunnel = nil
	}
}

// join copies both ways until both have ended, or one broke.
func join(client, server net.Conn) {
	done := make(chan bool, 2)
	for _, way := range [...]struct{ to, from net.Conn }{{server, client}, {client, server}} {
		go func() {
			done <- copyUntil(way.to, way.from)
		}()
	}
	if whole := <-done; !whole {
		_ = client.SetDeadline(time.Unix(1, 0))
		_ = server.SetDeadline(time.Unix(1, 0))
	}
	<-done
}

// copyUntil copies until from ends, and hands the end on. It reports false when
// something broke instead.
func copyUntil(to, from net.Conn) bool {
	buf := pieces.Get().(*[pieceSize + chunkFrame]byte)
	defer pieces.Put(buf)
	for {
		until := time.Now().Add(tunnelIdle)
		_, _ = to.SetReadDeadline(until), from.SetReadDeadline(until)
		n, err := from.Read(buf[:])
		if n > 0 {
			if _, wrong := to.Write(buf[:n]); wrong != nil {
				return false
			}
		}
		if err != nil {
			half, ok := to.(interface{ CloseWrite() error })
			return errors.Is(err, io.EOF) && ok && half.CloseWrite() == nil
		}
	}
}
