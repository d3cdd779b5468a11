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
		join(client, server, tunnelIdle)
	})
}

func (x *exchange) closeTunnel() {
	if x.answer.Tunnel != nil {
		_ = x.answer.Tunnel.Close()
		x.answer.Tunnel = nil
	}
}

// join copies both ways until both have ended, one broke, or neither brought
// anything for as long as idle. Only the end sets deadlines: one that each copy
// set for itself could lift it again.
func join(client, server net.Conn, idle time.Duration) {
	end := func() {
		_ = client.SetDeadline(time.Unix(1, 0))
		_ = server.SetDeadline(time.Unix(1, 0))
	}
	watch := time.AfterFunc(idle, end)
	defer watch.Stop()
	done := make(chan bool, 2)
	for _, way := range [...]struct{ to, from net.Conn }{{server, client}, {client, server}} {
		go func() {
			done <- copyUntil(way.to, way.from, func() { watch.Reset(idle) })
		}()
	}
	if whole := <-done; !whole {
		end()
	}
	<-done
}

// copyUntil copies until from ends, and hands the end on. It calls came for every
// piece. It reports false when something broke instead.
func copyUntil(to, from net.Conn, came func()) bool {
	buf := pieces.Get().(*[pieceSize + chunkFrame]byte)
	defer pieces.Put(buf)
	for {
		n, err := from.Read(buf[:])
		if n > 0 {
			came()
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
