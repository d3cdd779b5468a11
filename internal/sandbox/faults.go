package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is a misbehaviour asked for: it happens to the next Times requests
// that Method and Path fit.
type Fault struct {
	Method   string            `json:"method,omitempty"`   // "": any
	Path     string            `json:"path,omitempty"`     // a prefix; "": any
	Exact    bool              `json:"exact,omitempty"`    // Path is the whole path
	Times    int               `json:"times"`              // 0: once; negative: until cleared
	Delay    string            `json:"delay,omitempty"`    // before anything else, as "200ms"
	After    bool              `json:"after,omitempty"`    // do what the request asks first, then misbehave
	Status   int               `json:"status,omitempty"`   // answer this instead
	HTML     bool              `json:"html,omitempty"`     // with a web server's error page as the body
	Body     string            `json:"body,omitempty"`     // or with this body
	Headers  map[string]string `json:"headers,omitempty"`  // and with these headers
	Reset    bool              `json:"reset,omitempty"`    // a TCP reset instead of an answer
	Close    bool              `json:"close,omitempty"`    // end the connection without an answer
	Raw      string            `json:"raw,omitempty"`      // these bytes instead of HTTP, then the end
	Truncate bool              `json:"truncate,omitempty"` // end the connection in the middle of the body
	Chunked  bool              `json:"chunked,omitempty"`  // with Truncate: of a chunked body

	delay time.Duration
}

type faults struct {
	mu   sync.Mutex
	list []Fault
}

func (fs *faults) set(list []Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = list
}

func (fs *faults) all() []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.Clone(fs.list)
}

// take uses up one time of the first fault that fits.
func (fs *faults) take(method, path string) (Fault, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i, f := range fs.list {
		if !f.fits(method, path) {
			continue
		}
		if f.Times == 1 {
			fs.list = slices.Delete(fs.list, i, i+1)
		} else if f.Times > 1 {
			fs.list[i].Times--
		}
		return f, true
	}
	return Fault{}, false
}

func (f *Fault) fits(method, path string) bool {
	switch {
	case f.Method != "" && !strings.EqualFold(f.Method, method):
		return false
	case f.Exact:
		return f.Path == path
	}
	return strings.HasPrefix(path, f.Path)
}

// misbehave does what the fault says and reports whether that was an answer
// (or the end of the connection); a mere delay is none.
func (s *Sandbox) misbehave(w http.ResponseWriter, r *http.Request, f Fault) (done bool) {
	if !pause(r.Context(), f.delay) {
		return true // the client went away
	}
	switch {
	case f.Reset:
		hangUp(w, nil, true)
	case f.Close:
		hangUp(w, nil, false)
	case f.Raw != "":
		hangUp(w, []byte(f.Raw), false)
	case f.Truncate:
		hangUp(w, f.truncated(), false)
	case f.Status != 0:
		f.answer(w)
	default:
		if f.After {
			hangUp(w, nil, false)
		}
		return f.After
	}
	return true
}

// pause waits for d, or until the context ends and then says false.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// content is the fault's body and its type.
func (f *Fault) content() (body, contentType string) {
	reason := http.StatusText(f.Status)
	switch {
	case f.HTML:
		title := strconv.Itoa(f.Status) + " " + reason
		return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
			"</h1></center>\r\n<hr><center>sandbox</center>\r\n</body>\r\n</html>\r\n", "text/html"
	case f.Body != "":
		return f.Body, "application/json; charset=utf-8"
	}
	p := problem{status: f.Status, text: reason}
	return string(appendJSON(nil, p.body())), "application/json; charset=utf-8"
}

func (f *Fault) answer(w http.ResponseWriter) {
	body, contentType := f.content()
	w.Header().Set("Content-Type", contentType)
	for k, v := range f.Headers {
		w.Header().Set(k, v)
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(body))
}

// truncated is a whole head and half a body.
func (f *Fault) truncated() []byte {
	if f.Status == 0 {
		f.Status = http.StatusOK
	}
	body, contentType := f.content()
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 " + strconv.Itoa(f.Status) + " " + http.StatusText(f.Status) +
		"\r\nContent-Type: " + contentType + "\r\n")
	half := body[:len(body)/2]
	if f.Chunked {
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n" + strconv.FormatInt(int64(len(half)), 16) + "\r\n" + half + "\r\n")
		return b.Bytes()
	}
	b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + half)
	return b.Bytes()
}

// hangUp writes raw bytes and ends the connection, with a reset or in order.
func hangUp(w http.ResponseWriter, raw []byte, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 or a recorder: end the stream
	}
	_, _ = conn.Write(raw)
	if tcp, isTCP := conn.(*net.TCPConn); isTCP && reset {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// discard is the answer that a fault withholds.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// addFaults is POST /sandbox/faults: one fault or an array of them, added
// behind those that are set already.
func (s *Sandbox) addFaults(c *call) (answer, error) {
	v, err := c.body()
	if err != nil {
		return answer{}, err
	}
	if o, single := v.(object); single {
		v = []any{o}
	}
	list, err := readFaults(appendJSON(nil, v))
	if err != nil {
		return answer{}, err
	}
	s.faults.mu.Lock()
	s.faults.list = append(s.faults.list, list...)
	s.faults.mu.Unlock()
	a, err := s.showFaults(c)
	a.status = http.StatusCreated
	return a, err
}

func readFaults(raw []byte) ([]Fault, error) {
	var list []Fault
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, badRequest("The faults cannot be read: %v", err)
	}
	for i := range list {
		f := &list[i]
		if f.Times == 0 {
			f.Times = 1
		}
		if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
			return nil, badRequest("The status of a fault must be between 200 and 599")
		}
		if f.Delay != "" {
			var err error
			if f.delay, err = time.ParseDuration(f.Delay); err != nil {
				return nil, badRequest("The delay of a fault must be a duration like 200ms")
			}
		}
	}
	return list, nil
}

// showFaults is GET /sandbox/faults: those that still have requests to hit.
func (s *Sandbox) showFaults(*call) (answer, error) {
	raw, err := json.Marshal(s.faults.all())
	if err != nil {
		return answer{}, err
	}
	v, err := decode(raw)
	if list, isList := v.([]any); isList {
		return answer{http.StatusOK, list}, err
	}
	return answer{http.StatusOK, []any{}}, err // none: JSON null
}

// clearFaults is DELETE /sandbox/faults.
func (s *Sandbox) clearFaults(*call) (answer, error) {
	s.faults.set(nil)
	return noContent()
}
