package proxy

import "time"

// clock gives the time that enters a request once: nanoseconds since 1970 that
// never jump. It is the wall time at start plus the monotonic time since, so a
// step of the system's clock (NTP, a resumed machine) opens no free window.
type clock struct {
	start  time.Time
	base   int64
	offset time.Duration // of what this machine takes for the time
}

func newClock(offset time.Duration) clock {
	start := time.Now()
	return clock{start: start, base: start.Add(offset).UnixNano(), offset: offset}
}

// Now is the time by which everything is counted, in ns since 1970.
func (g *Gateway) Now() int64 { return g.clock.now() }

// now is the process time in nanoseconds.
func (c *clock) now() int64 { return c.base + int64(time.Since(c.start)) }

// unixTime is the time that a process time stands for.
func unixTime(now int64) time.Time { return time.Unix(0, now).UTC() }

// fromWall turns a wall-clock time that somebody else wrote down into process
// time, by the difference of the two clocks at this instant.
func (c *clock) fromWall(t time.Time) int64 {
	return t.UnixNano() + c.now() - c.wall().UnixNano()
}

// wall is what this machine takes for the time.
func (c *clock) wall() time.Time { return time.Now().Add(c.offset) }
