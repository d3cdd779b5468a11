package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/chatshipper/gateway/internal/loop"
	"github.com/chatshipper/gateway/internal/systemd"
)

// listen opens the listener of a block, or takes the one that the service
// manager opened for it under the block's name.
func listen(m systemd.Manager, block, address string) (net.Listener, error) {
	ln, err := m.Listener(block)
	if err != nil || ln != nil {
		return ln, err
	}
	if ln, err = (&net.ListenConfig{Control: loop.Local}).Listen(context.Background(), "tcp", address); err != nil {
		return nil, fmt.Errorf("cannot listen on %s.address: %w", block, err)
	}
	return ln, nil
}

// tell notifies the service manager. That it can't be told is no reason to stop.
func (n *node) tell(state ...string) {
	if err := n.manager.Notify(state...); err != nil {
		n.logger.Warn("service manager was not told", "state", state[0], "error", err)
	}
}

// beat tells the service manager that the gateway lives, as long as probe says
// so, until ctx ends. A gateway that hangs falls silent and is started again.
func (n *node) beat(ctx context.Context, public net.Addr) {
	interval := n.manager.Watchdog() / 2
	if interval == 0 {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := n.probe(public, time.Now().Add(interval)); err == nil {
			n.tell("WATCHDOG=1")
		} else {
			n.logger.Error("gateway does not answer itself", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// probe finds out whether the gateway can serve: every table must give up its
// lock to be measured, and a connection that says nothing must be accepted, read
// and closed. Neither counts as a request.
func (n *node) probe(public net.Addr, deadline time.Time) error {
	measured := make(chan error, 1)
	go func() {
		_, err := n.registry.Gather()
		measured <- err
	}()
	conn, err := (&net.Dialer{Deadline: deadline}).Dial("tcp", reachable(public.String()))
	if err != nil {
		return fmt.Errorf("cannot connect to the public listener: %w", err)
	}
	defer func() { _ = conn.Close() }() // nothing was written
	_ = conn.SetDeadline(deadline)      // fails only on a closed connection, and then so does what follows
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return fmt.Errorf("cannot end a connection to the public listener: %w", err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
		return fmt.Errorf("cannot get a connection closed: %w", err)
	}
	select {
	case err := <-measured:
		return err
	case <-time.After(time.Until(deadline)):
		return fmt.Errorf("cannot measure the tables within %s", n.manager.Watchdog()/2)
	}
}

// stopping says how long the drain may take, so that no manager cuts it short.
func (n *node) stopping() {
	const margin = 5 * time.Second
	most := n.cfg.Listen.ShutdownDelay + n.cfg.Listen.DrainTimeout + margin
	n.tell("STOPPING=1", fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", most.Microseconds()))
}
