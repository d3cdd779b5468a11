//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package downstream

// open prepares the connection for requests.
func (c *Conn) open() {}

// await waits for input.
func (c *Conn) await() bool { return c.awaitPlainly() }
