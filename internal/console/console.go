// Package console shows a running gateway to those who look after it: one page,
// its assets, tables as JSON and a stream of them once a second. What there is to
// see is handed to it: it knows neither the rules nor the requests of the gateway,
// nor who may look.
//
// # What it costs
//
// Once a second a point is made of counters that exist anyway, whether somebody
// looks or not, so that a console that is opened shows the last five minutes.
// Tables are read only while somebody looks: once a second for all viewers
// together, and at most once a second more for those who ask for one table at a
// time.
package console

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

const (
	interval = time.Second
	// keptPoints are five minutes.
	keptPoints = 300
	// lease is how long a single look counts as looking.
	lease = 5 * time.Second
	// mostViewers bounds the streams that are open at once.
	mostViewers = 32
	// behind is how many frames a viewer may fall behind before it is dropped.
	behind = 4
)

// Table is something to see, as it is now.
type Table struct {
	Name string // under /admin/v1/, and in the stream
	Read func() any
}

// Log is something to see of which only the latest is kept. Its entries are
// numbered in the order in which they came.
type Log struct {
	Name string
	// Read returns the entries later than after, the latest first, and the number
	// of the last. It returns nil when there are none.
	Read func(after uint64) (entries any, last uint64)
}

// Source is what there is to see. Everything becomes JSON. Nothing of it is called
// twice at the same time.
type Source struct {
	Tables []Table
	Logs   []Log
	Point  func(now time.Time) any // what happened since it was last called
	Watch  func(on bool)           // told when somebody begins to look, and when nobody does any more
}

// Console serves what a Source shows. Run it, and close it before the listener
// that it is served on.
type Console struct {
	src    Source
	assets map[string]*asset

	reading sync.Mutex // held while the source is asked for tables
	latest  *snapshot
	sent    *snapshot // the last that went to the viewers

	mu      sync.Mutex
	points  []json.RawMessage
	viewers map[*viewer]bool
	watched bool
	looked  time.Time // when somebody last asked for a table
	closed  bool
}

// viewer is one open stream.
type viewer struct {
	frames chan []byte // closed when the viewer is dropped
}

// New makes a console.
func New(src Source) *Console {
	if src.Point == nil || src.Watch == nil {
		panic("BUG: console.New needs Point and Watch")
	}
	return &Console{src: src, assets: loadAssets(), viewers: make(map[*viewer]bool)}
}

// Run makes a point every second, and frames while somebody looks, until ctx ends.
func (c *Console) Run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			c.tick(now)
		case <-ctx.Done():
			return
		}
	}
}

// Close ends every stream, so that the listener can shut down. Nobody can look any
// more.
func (c *Console) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for v := range c.viewers {
		c.drop(v)
	}
}

func (c *Console) tick(now time.Time) {
	point := encode(c.src.Point(now))
	c.mu.Lock()
	c.points = append(c.points, point)
	c.points = c.points[max(0, len(c.points)-keptPoints):]
	if c.watched && len(c.viewers) == 0 && now.Sub(c.looked) >= lease {
		c.watched = false
		c.src.Watch(false)
	}
	viewed := len(c.viewers) > 0
	c.mu.Unlock()
	if viewed {
		c.show(c.frame(now, point))
	}
}

// show hands a frame to every viewer. One that has not taken the last few is
// dropped: it may come again, and nobody waits for it.
func (c *Console) show(frame []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for v := range c.viewers {
		select {
		case v.frames <- frame:
		default:
			c.drop(v)
		}
	}
}

// join opens a stream; ok is false when there are too many, or none any more.
func (c *Console) join(now time.Time) (v *viewer, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.viewers) >= mostViewers {
		return nil, false
	}
	c.look(now)
	v = &viewer{frames: make(chan []byte, behind)}
	c.viewers[v] = true
	return v, true
}

// look notes that somebody looks.
func (c *Console) look(now time.Time) {
	c.looked = now
	if !c.watched {
		c.watched = true
		c.src.Watch(true)
	}
}

func (c *Console) leave(v *viewer, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = now
	c.drop(v)
}

// drop ends a stream that has not ended yet.
func (c *Console) drop(v *viewer) {
	if c.viewers[v] {
		delete(c.viewers, v)
		close(v.frames)
	}
}
