package sandbox

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody is the most that a request may carry, in bytes, before and after
// its content encoding is undone.
const maxBody = 10 << 20

// call is one request on its way through the API.
type call struct {
	r   *http.Request
	w   http.ResponseWriter
	now time.Time
	who *account // nil on the routes that need no token
	id  string   // the {id} of the route
}

// answer is a success; a refusal is a *problem. A nil body sends none.
type answer struct {
	status int
	body   any // object, []any or string (plain text)
}

func ok(body any) (answer, error)      { return answer{http.StatusOK, body}, nil }
func created(body any) (answer, error) { return answer{http.StatusCreated, body}, nil }
func noContent() (answer, error)       { return answer{status: http.StatusNoContent}, nil }

func (s *Sandbox) serveHTTP(w http.ResponseWriter, r *http.Request) {
	e := s.find(r.URL.Path)
	if e.control {
		s.handle(w, r, e)
		return
	}
	s.stats.arrived(r, e.template)
	f, faulty := s.faults.take(r.Method, r.URL.Path)
	if !faulty {
		s.handle(w, r, e)
		return
	}
	if f.After {
		s.handle(&discard{header: http.Header{}}, r, e)
	}
	if !s.misbehave(w, r, f) && !f.After {
		s.handle(w, r, e)
	}
}

func (s *Sandbox) handle(w http.ResponseWriter, r *http.Request, e endpoint) {
	c := &call{r: r, w: w, now: s.now(), id: e.id}
	a, err := s.respond(c, e)
	if err != nil {
		p := &problem{status: http.StatusInternalServerError, text: "Internal error"}
		if !errors.As(err, &p) {
			s.opts.Logger.Error("sandbox: cannot answer", "route", e.template, "error", err)
		}
		for k, v := range p.header {
			w.Header()[k] = v
		}
		a = answer{p.status, p.body()}
	}
	s.opts.Logger.Debug("sandbox", "method", r.Method, "path", r.URL.Path, "status", a.status)
	write(w, r, a)
}

// respond finds the handler of the route and method, and the caller.
func (s *Sandbox) respond(c *call, e endpoint) (answer, error) {
	if e.methods == nil {
		if err := s.identify(c, e); err != nil {
			return answer{}, err
		}
		return answer{}, refuse(http.StatusNotFound, "There is no route %s", c.r.URL.Path)
	}
	method := c.r.Method
	switch method {
	case http.MethodHead:
		method = http.MethodGet
	case http.MethodOptions:
		c.w.Header().Set("Allow", e.allow())
		return noContent()
	}
	if err := s.identify(c, e); err != nil {
		return answer{}, err
	}
	if h, ok := e.methods[method]; ok {
		return h(c)
	}
	text := "The method " + method + " is not allowed here"
	if method == http.MethodPut {
		text = "PUT is not allowed here: use PATCH to update a resource"
	}
	return answer{}, &problem{http.StatusMethodNotAllowed, text, http.Header{"Allow": {e.allow()}}}
}

func (s *Sandbox) identify(c *call, e endpoint) (err error) {
	if !e.public {
		c.who, err = s.authenticate(c.r.Header.Get("Authorization"))
	}
	return err
}

// write sends the answer; net/http leaves the body of a HEAD out by itself.
func write(w http.ResponseWriter, r *http.Request, a answer) {
	var body []byte
	switch b := a.body.(type) {
	case nil:
		w.WriteHeader(a.status)
		return
	case string:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		body = []byte(b)
	default:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		body = appendJSON(make([]byte, 0, 1024), b)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that went away needs no answer
	}
}

// body reads the request's JSON.
func (c *call) body() (any, error) {
	var r io.Reader = http.MaxBytesReader(c.w, c.r.Body, maxBody)
	var err error
	switch strings.ToLower(c.r.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, "The content encoding must be gzip, deflate or none")
	}
	if err != nil {
		return nil, badRequest("The body is not in its content encoding")
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge) || len(raw) > maxBody:
		return nil, refuse(http.StatusRequestEntityTooLarge, "The body is larger than %d bytes", maxBody)
	case err != nil:
		return nil, badRequest("The body cannot be read")
	}
	v, err := decode(raw)
	if err != nil {
		return nil, badRequest("The body is no valid JSON: %v", err)
	}
	return v, nil
}

// object reads a body that must be a JSON object.
func (c *call) object() (object, error) {
	v, err := c.body()
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, unprocessable("The body must be a JSON object")
	}
	return o, nil
}
