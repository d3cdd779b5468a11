package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/chatshipper/gateway/internal/upstream"
	"github.com/chatshipper/gateway/proxy"
)

// style marks what is looked for first.
type style struct{ strong, faint, off string }

var (
	plain  = style{}
	styled = style{"\x1b[1m", "\x1b[2m", "\x1b[0m"}
)

func (y style) bold(text string) string { return y.strong + text + y.off }
func (y style) dim(text string) string  { return y.faint + text + y.off }

// frame is one screen full, at most so many lines of so many columns. What has no
// place at the bottom is left out: the most urgent stands first.
func (s *sight) frame(y style, columns, lines int) []string {
	if s.At.IsZero() {
		return nil
	}
	rows := s.banner(y)
	rows = append(rows, s.traffic(y)...)
	rows = append(rows, s.blocked(y)...)
	rows = append(rows, s.limits(y, columns)...)
	rows = append(rows, s.dependencies(y)...)
	rows = append(rows, s.decisions(y, max(3, lines-len(rows)-2))...)
	for i := range rows {
		rows[i] = cut(rows[i], columns)
	}
	return rows[:min(len(rows), lines)]
}

// missed says why there is no newer frame, and how old what follows is.
func (s *sight) missed(err error, y style, columns int) []string {
	rows := []string{cut(y.bold(printable(err.Error())), columns)}
	if !s.At.IsZero() {
		rows = append(rows, cut(y.bold("What follows is of "+clockOf(s.At)+"."), columns))
	}
	return rows
}

func (s *sight) banner(y style) []string {
	st, c := &s.Tables.State, s.Tables.State.Configuration
	rows := []string{fmt.Sprintf("%s  %s  version %s, running for %s, configuration %s since %s",
		y.bold("gateway "+st.State), clockOf(s.At), st.Version, s.At.Sub(st.Started).Round(time.Second), c.Hash, clockOf(c.LoadedAt))}
	for _, why := range st.Why {
		rows = append(rows, y.bold(why))
	}
	if r := c.LastReload; r != nil && !r.Successful {
		rows = append(rows, y.bold("The reload at "+clockOf(r.At)+" was refused; the last good configuration stays in force."))
		for _, m := range r.Mistakes {
			rows = append(rows, "  "+printable(m))
		}
	} else if r != nil && len(r.NeedsRestart) > 0 {
		rows = append(rows, "Needs a restart: "+strings.Join(r.NeedsRestart, ", "))
	}
	return append(rows, "")
}

func (s *sight) traffic(y style) []string {
	if len(s.Points) == 0 {
		return nil
	}
	p := &s.Points[len(s.Points)-1]
	return []string{
		fmt.Sprintf("%s %.1f/s  %s  %.1f/s refused, %.1f/s failed; %d in flight on %d open connections", y.bold("requests "), p.Requests,
			sparkline(s.Points, func(p *proxy.Point) float64 { return p.Requests }), p.Refused, p.Failed, p.InFlight, p.Connections),
		fmt.Sprintf("%s p50 %s, p99 %s; the gateway's own share p50 %s, p99 %s", y.bold("latency  "),
			span(p.P50), span(p.P99), span(p.OverheadP50), span(p.OverheadP99)),
		fmt.Sprintf("%s %d requests, %d refused by a limit", y.bold("so far   "), p.RequestsTotal, p.RefusedTotal), "",
	}
}

func (s *sight) blocked(y style) []string {
	if len(s.Tables.Blocked) == 0 {
		return []string{y.bold("blocked now") + "  nobody", ""}
	}
	rows := []string{
		y.bold(fmt.Sprintf("blocked now  %d", len(s.Tables.Blocked))),
		y.dim(fmt.Sprintf("  %-12s %-13s %-13s %-20s %8s  %s", "rule", "bot", "conversation", "messages", "refused", "free in")),
	}
	for i := range s.Tables.Blocked {
		b := &s.Tables.Blocked[i]
		rows = append(rows, fmt.Sprintf("  %-12s %-13s %-13s %-20s %8d  %s", b.Rule, b.Bot, b.Conversation,
			fmt.Sprintf("%d of %d in %s", b.Used, b.Limit, b.Window), b.Refused, (time.Duration(b.SecondsLeft*10)*time.Second/10).String()))
	}
	return append(rows, "")
}

// nearestShown is how many callers of each limit a frame has room for.
const nearestShown = 4

func (s *sight) limits(y style, columns int) (rows []string) {
	for i := range s.Tables.Limits {
		l := &s.Tables.Limits[i]
		head := fmt.Sprintf("%s %s", y.bold(fmt.Sprintf("%-12s", l.Rule)), l.Mode)
		if l.Limit > 0 {
			head += fmt.Sprintf(", %d in %s", l.Limit, l.Window)
		}
		rows = append(rows, fmt.Sprintf("%s; %d refused, %d would be, %d admitted; %d of %d places in use here", head, l.Refused, l.WouldRefuse, l.Admitted, l.Keys, l.Capacity))
		for _, n := range l.Nearest[:min(nearestShown, len(l.Nearest))] {
			who := n.Who
			if n.Bot != "" {
				who = n.Bot + " in " + n.Conversation
			}
			row := fmt.Sprintf("  %-*s %s%3d of %d", min(30, columns-13), who, gauge(n.Used, n.Limit, min(30, columns-66)), n.Used, n.Limit)
			if n.FreeMS > 0 {
				row += ", free in " + (time.Duration(n.FreeMS) * time.Millisecond).Round(time.Second/10).String()
			}
			rows = append(rows, row)
		}
	}
	return append(rows, "")
}

func (s *sight) dependencies(y style) (rows []string) {
	u := &s.Tables.Upstream
	rows = append(rows, fmt.Sprintf("%s %s %s; %d retries%s", y.bold("upstream "), u.State, u.Name, u.Retries, last(u.LastError)))
	for i := range u.Servers {
		rows = append(rows, "  "+serverLine(&u.Servers[i]))
	}
	for i := range s.Tables.Stores {
		t := &s.Tables.Stores[i]
		rows = append(rows, fmt.Sprintf("%s %s %s; %s%s", y.bold("store    "), t.State, t.Name, strings.TrimSuffix(t.Explained, "."), last(t.LastError)))
	}
	return append(rows, "")
}

// serverLine is how one server of the upstream stands.
func serverLine(s *upstream.Server) string {
	row := printable(s.Address)
	if s.Dials != "" {
		row += " (" + printable(s.Dials) + ")"
	}
	row += ": circuit " + strings.ReplaceAll(s.Circuit, "_", " ")
	if s.Unwell {
		row += ", fails its health check"
	}
	if s.Wait > 0 {
		row += fmt.Sprintf(", tried again in %.1f s", s.Wait)
	}
	return row + fmt.Sprintf("; %d in flight, %d connections, %d of them idle, %d requests", s.InFlight, s.Open, s.Idle, s.Requests)
}

func last(e *proxy.LastError) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("; last failure at %s: %s", clockOf(e.At), printable(e.Cause))
}

func (s *sight) decisions(y style, most int) []string {
	rows := []string{y.bold("last decisions")}
	for i := range s.Logs.Decisions[:min(most, len(s.Logs.Decisions))] {
		d := &s.Logs.Decisions[i]
		row := fmt.Sprintf("  %s  %-12s %d %-8s  %-24s %8s", d.At.Local().Format("15:04:05.000"), strings.ReplaceAll(d.Kind, "_", " "), d.Status, d.Source, d.Method+" "+d.Route, span(&d.DurationMS))
		for _, part := range [][2]string{{"", d.Rule}, {"ip ", d.IP}, {"key ", d.Key}, {"bot ", d.Bot}, {"in ", d.Conversation}} {
			if part[1] != "" {
				row += "  " + part[0] + part[1]
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// printable keeps what the gateway tells from telling the terminal something.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

func clockOf(t time.Time) string { return t.Local().Format("15:04:05") }

// span is a time of milliseconds; "-" when nothing was measured.
func span(ms *float64) string {
	switch {
	case ms == nil:
		return "-"
	case *ms < 1:
		return fmt.Sprintf("%.0f µs", *ms*1000)
	case *ms < 100:
		return fmt.Sprintf("%.1f ms", *ms)
	case *ms < 1000:
		return fmt.Sprintf("%.0f ms", *ms)
	}
	return fmt.Sprintf("%.1f s", *ms/1000)
}

// gauge draws a share of a limit, and the space after it.
func gauge(used, limit, width int) string {
	if width < 1 {
		return ""
	}
	full := min(width, used*width/max(1, limit))
	return strings.Repeat("#", full) + strings.Repeat(".", width-full) + " "
}

// sparkline draws the points of a minute, each as high as its share of the highest.
func sparkline(points []proxy.Point, of func(p *proxy.Point) float64) string {
	levels, highest := []rune("▁▂▃▄▅▆▇█"), 0.0
	for i := range points {
		highest = max(highest, of(&points[i]))
	}
	line := make([]rune, 0, 30)
	for i := max(0, len(points)-30); i < len(points); i++ {
		level := 0
		if highest > 0 {
			level = int(of(&points[i]) / highest * float64(len(levels)-1))
		}
		line = append(line, levels[level])
	}
	return strings.Repeat(" ", 30-len(line)) + string(line)
}

// cut shortens a line to what a terminal shows of it, and marks that: half a number
// looks like another one. Control codes take no room.
func cut(line string, columns int) string {
	room, last := columns, 0
	for i := 0; i < len(line); {
		if line[i] == 0x1b {
			end := strings.IndexByte(line[i:], 'm')
			if end < 0 {
				return line[:i]
			}
			i += end + 1
			continue
		}
		if room == 0 {
			return line[:last] + "…" + styleEnd(line)
		}
		_, size := utf8.DecodeRuneInString(line[i:])
		i, room, last = i+size, room-1, i
	}
	return line
}

// styleEnd ends what a line that was cut had begun.
func styleEnd(line string) string {
	if strings.Contains(line, "\x1b") {
		return styled.off
	}
	return ""
}
