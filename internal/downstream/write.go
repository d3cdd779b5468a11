package downstream

import (
	"net"
	"time"
)

// Write sends a piece of an answer: head, and body behind it, in one system call
// where the connection allows it. A client that does not take it within
// Config.WriteTimeout loses the connection. After an error nothing can be sent.
func (c *Conn) Write(head, body []byte) error {
	if c.watch.Expired() { // an answer to what came too late
		c.watch.Revive()
		_ = c.socket.SetDeadline(time.Time{})
	}
	if c.place != nil {
		if err := c.resend(); err != nil {
			return err
		}
	}
	if c.task.OnLoop() && c.place != nil {
		var err error
		if head, body, err = c.sendOnLoop(head, body); err != nil || len(head)+len(body) == 0 {
			return err
		}
	}
	c.watch.Set(c.server.cfg.WriteTimeout)
	err := c.send(head, body)
	if !c.watch.Clear() || err != nil {
		c.hangup, c.cutting = true, true
	}
	return err //nolint:wrapcheck // a connection's own error
}

func (c *Conn) send(head, body []byte) error {
	if len(body) == 0 {
		_, err := c.nc.Write(head)
		return err //nolint:wrapcheck // a connection's own error
	}
	if tcp, ok := c.nc.(*net.TCPConn); ok {
		c.parts = [2][]byte{head, body}
		c.vectors = c.parts[:]
		_, err := c.vectors.WriteTo(tcp)
		c.parts, c.vectors = [2][]byte{}, nil
		return err //nolint:wrapcheck // likewise
	}
	if _, err := c.nc.Write(head); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	_, err := c.nc.Write(body)
	return err //nolint:wrapcheck // likewise
}
