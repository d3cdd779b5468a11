package dashboards

import (
	"bytes"
	"encoding/json"
)

// row is a headline and the panels under it.
type row struct {
	title     string
	collapsed bool
	specs     []spec
}

// Heights of panels, in Grafana's units of about 36 pixels.
const (
	headHeight = 1
	statHeight = 4
	plotHeight = 8
	gridWidth  = 24
)

// layout gives every panel its id and place, line by line.
func layout(rows []row) []panel {
	var panels []panel
	id, y := 0, 0
	next := func() int { id++; return id }
	for _, r := range rows {
		head := panel{ID: next(), Type: "row", Title: r.title, GridPos: gridPos{headHeight, gridWidth, 0, y}, Collapsed: &r.collapsed}
		var inside []panel
		inside, y = flow(r.specs, y+headHeight, next)
		if r.collapsed {
			head.Panels = inside
			panels = append(panels, head)
			continue
		}
		panels = append(append(panels, head), inside...)
	}
	return panels
}

// flow sets panels from left to right, and begins a line when one is full. It
// returns the first free line.
func flow(specs []spec, y int, next func() int) (panels []panel, end int) {
	x, height := 0, 0
	for _, s := range specs {
		p := s.panel()
		p.ID = next()
		if x+s.width > gridWidth {
			x, y = 0, y+height
		}
		height = plotHeight
		if s.kind == "stat" {
			height = statHeight
		}
		p.GridPos = gridPos{height, s.width, x, y}
		x += s.width
		panels = append(panels, p)
	}
	return panels, y + height
}

// JSON is the dashboard as Grafana imports it.
func JSON() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(gateway()); err != nil {
		panic("BUG: a dashboard that is no JSON: " + err.Error())
	}
	return b.Bytes()
}
