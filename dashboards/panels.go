package dashboards

// spec is what is said about a panel here; the rest follows from its kind.
type spec struct {
	kind  string // stat, timeseries or state-timeline
	title string
	// The description: what it is, what is normal, what to do when it is not.
	what, normal, todo string

	unit    string // Grafana's name of it
	queries []query
	width   int // of 24

	levels []level          // colours; the first one from the lowest value on
	words  map[string]level // what a value is called, by the value
	max    float64          // of the axis; 0: as it comes
	lines  bool             // draw the levels
	stack  bool
	colors map[string]string // of lines, by their name
	names  bool              // a stat shows the name of its series
	whole  bool              // asked once, at the end of the time range
	none   string            // what a stat shows when there is no series
}

// level is a colour from a value on, or the colour and name of a value.
type level struct {
	color string
	from  float64
	text  string
}

var (
	calm   = []level{{color: "green"}}
	zero   = []level{{color: "green"}, {color: "red", from: 1e-9}}  // anything is too much
	seldom = []level{{color: "green"}, {color: "yellow", from: .1}} // per second
)

func good(text string) level { return level{color: "green", text: text} }
func bad(text string) level  { return level{color: "red", text: text} }

// panel turns a spec into Grafana's terms.
func (s spec) panel() panel {
	p := panel{
		Type: s.kind, Title: s.title, Datasource: &source{"prometheus", "${datasource}"},
		Description: s.what + "\n\n**Normal:** " + s.normal + "\n\n**To do:** " + s.todo,
		FieldConfig: &fieldConfig{Defaults: s.defaults(), Overrides: s.overrides()},
		Options:     s.options(),
	}
	for i, q := range s.queries {
		p.Targets = append(p.Targets, target{
			RefID: string(rune('A' + i)), Datasource: source{"prometheus", "${datasource}"},
			Expr: q.expr, LegendFormat: q.legend, Instant: s.whole, Range: !s.whole,
		})
	}
	return p
}

func (s spec) defaults() defaults {
	d := defaults{
		Unit: s.unit, Mappings: []mapping{}, Thresholds: s.thresholds(), NoValue: s.none,
		Color: map[string]any{"mode": "palette-classic"},
	}
	if s.kind != "timeseries" {
		d.Color["mode"] = "thresholds"
	} else {
		d.Min = new(float64)
	}
	if s.max != 0 {
		d.Max = &s.max
	}
	if len(s.words) > 0 {
		m := mapping{Type: "value", Options: map[string]answer{}}
		for value, word := range s.words {
			m.Options[value] = answer{Text: word.text, Color: word.color}
		}
		d.Mappings = append(d.Mappings, m)
	}
	d.Custom = s.custom()
	return d
}

func (s spec) thresholds() thresholds {
	t := thresholds{Mode: "absolute"}
	for i, l := range s.levels {
		st := step{Color: l.color}
		if i > 0 {
			st.Value = &s.levels[i].from
		}
		t.Steps = append(t.Steps, st)
	}
	return t
}

// custom is how lines are drawn.
func (s spec) custom() map[string]any {
	switch s.kind {
	case "state-timeline":
		return map[string]any{"fillOpacity": 70, "lineWidth": 0}
	case "timeseries":
	default:
		return nil
	}
	stacking, fill, style := "none", 10, "off"
	if s.stack {
		stacking, fill = "normal", 60
	}
	if s.lines {
		style = "dashed"
	}
	return map[string]any{
		"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": fill, "showPoints": "never",
		"spanNulls": false, "stacking": map[string]any{"mode": stacking, "group": "A"}, "thresholdsStyle": map[string]any{"mode": style},
	}
}

// overrides give lines their colours, in the order of the queries.
func (s spec) overrides() []override {
	list := []override{}
	for _, q := range s.queries {
		if color, found := s.colors[q.legend]; found {
			list = append(list, override{
				Matcher:    matcher{"byName", q.legend},
				Properties: []property{{"color", map[string]any{"mode": "fixed", "fixedColor": color}}},
			})
		}
	}
	return list
}

func (s spec) options() map[string]any {
	legend := map[string]any{"showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": []string{}}
	tooltip := map[string]any{"mode": "multi", "sort": "desc"}
	switch s.kind {
	case "stat":
		text := "value"
		if s.names {
			text = "value_and_name"
		}
		return map[string]any{
			"colorMode": "background", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": text,
			"showPercentChange": false, "percentChangeColorMode": "standard", "wideLayout": true,
			"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		}
	case "state-timeline":
		return map[string]any{"alignValue": "left", "mergeValues": true, "rowHeight": .9, "showValue": "auto", "legend": legend, "tooltip": tooltip}
	}
	legend["displayMode"], legend["calcs"] = "table", []string{"mean", "max", "lastNotNull"}
	return map[string]any{"legend": legend, "tooltip": tooltip}
}
