package console

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

// writeWithin is how long a viewer may take to take a frame.
const writeWithin = 5 * time.Second

// Data are the handlers of what there is to see, by path. Whoever mounts them sees
// to it that only those look who may.
func (c *Console) Data() map[string]http.Handler {
	const prefix = "/admin/v1/"
	doors := map[string]http.Handler{
		prefix + "overview": http.HandlerFunc(c.serveOverview),
		prefix + "stream":   http.HandlerFunc(c.serveStream),
	}
	for _, t := range c.src.Tables {
		doors[prefix+t.Name] = c.part(func(s *snapshot) []byte { return s.tables[t.Name] })
	}
	for _, l := range c.src.Logs {
		doors[prefix+l.Name] = c.part(func(s *snapshot) []byte { return s.logs[l.Name] })
	}
	return doors
}

// part serves one table or log.
func (c *Console) part(of func(s *snapshot) []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, of(c.full(time.Now())))
	})
}

func (c *Console) serveOverview(w http.ResponseWriter, r *http.Request) {
	points := keptPoints
	if text := r.URL.Query().Get("points"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > keptPoints {
			refuse(w, http.StatusBadRequest, "The parameter points must be from 0 to "+strconv.Itoa(keptPoints)+".")
			return
		}
		points = n
	}
	writeJSON(w, c.overview(time.Now(), points))
}

// serveStream sends an overview and then a frame every second, as server-sent
// events, until the viewer goes, falls behind, or the console closes.
func (c *Console) serveStream(w http.ResponseWriter, r *http.Request) {
	v, ok := c.join(time.Now())
	if !ok {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "Too many consoles are open, or the gateway is stopping.")
		return
	}
	defer func() { c.leave(v, time.Now()) }()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy in front must not collect frames
	wire := http.NewResponseController(w)
	_ = wire.SetReadDeadline(time.Time{}) // the listener's is for requests; a recorder in a test has none
	for event, data := "overview", c.overview(time.Now(), keptPoints); ; event = "frame" {
		_ = wire.SetWriteDeadline(time.Now().Add(writeWithin))
		if _, err := w.Write(eventOf(event, data)); err != nil || wire.Flush() != nil {
			return
		}
		select {
		case data, ok = <-v.frames:
			if !ok {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// eventOf is a server-sent event. JSON holds no line break.
func eventOf(event string, data []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(data) + 32)
	b.WriteString("event: " + event + "\ndata: ")
	b.Write(data)
	b.WriteString("\n\n")
	return b.Bytes()
}

func writeJSON(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(bytes.Clone(body), '\n')) // a viewer that went away is no concern of ours
}

func refuse(w http.ResponseWriter, status int, sentence string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(encode(map[string]any{"message": sentence, "status": status}), '\n'))
}
