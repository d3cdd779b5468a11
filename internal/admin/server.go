// Package admin is the listener for operators and their tools: metrics, health,
// profiles, an API for questions, the reload of the configuration and whatever
// console it is given, on plain net/http and on a port of its own. What it shows and
// what it may set off is handed to it: it knows neither the rules nor the
// requests of the gateway.
package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Deps is what the listener shows, and what can be asked of it.
type Deps struct {
	Registry *prometheus.Registry
	Ready    func() []string // why the gateway can't serve, in a few words each; empty means that it can
	API      API
	Console  Console
	Log      *slog.Logger // for what net/http reports; nil means slog.Default
	Audit    *slog.Logger // gets a line for every change that is asked for; nil means Log

	TLS *tls.Config // nil: plain text

	// Reload puts the configuration file in force, all or nothing, and returns
	// what of it only a restart can. Nil: there is no POST /-/reload.
	Reload func(ctx context.Context) (needsRestart []string, err error)
}

// Console is what a browser is shown, by path.
type Console struct {
	// Shell is the page and what it loads. It must hold nothing that is worth a
	// token: a browser gets it without one, because it has none to send before the
	// page asks for it.
	Shell map[string]http.Handler
	Data  map[string]http.Handler // what there is to see, behind the token
}

// Server serves the admin listener.
type Server struct {
	deps  Deps
	guard atomic.Pointer[guard]
	doors map[string]door
	pprof http.Handler // nil unless enabled
	http  http.Server

	foreign   *http.CrossOriginProtection
	intruders intruders
}

// door is one thing to see and who may see it.
type door struct {
	http.Handler
	public  bool // for probes and scrapers: no token, any Host
	shell   bool // the console's page: no token
	private bool // never asked for by a page of another site, not even to look
	asks    bool // takes POST too
	changes bool // takes POST only
}

// takes reports whether a door may be opened with a method, and which it takes.
func (d *door) takes(method string) (ok bool, allow string) {
	switch {
	case d.changes:
		return method == http.MethodPost, "POST"
	case d.asks:
		return method == http.MethodGet || method == http.MethodHead || method == http.MethodPost, "GET, HEAD, POST"
	}
	return method == http.MethodGet || method == http.MethodHead, "GET, HEAD"
}

// New makes a server. It fails when the token file can't be read.
func New(cfg Config, d Deps) (*Server, error) {
	if d.Registry == nil || d.Ready == nil {
		panic("BUG: admin.New needs a Registry and Ready")
	}
	g, err := newGuard(cfg)
	if err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.Audit == nil {
		d.Audit = d.Log
	}
	s := &Server{deps: d, foreign: http.NewCrossOriginProtection()}
	s.guard.Store(&g)
	s.doors = map[string]door{
		"/healthz": {Handler: http.HandlerFunc(healthz), public: true},
		"/readyz":  {Handler: http.HandlerFunc(s.readyz), public: true},
		"/metrics": {Handler: metrics(d.Registry), public: true},
	}
	for at, page := range d.Console.Shell {
		s.doors[at] = door{Handler: page, shell: true}
	}
	for at, data := range d.Console.Data {
		s.doors[at] = door{Handler: data, private: true}
	}
	s.apiDoors(d.API)
	if d.Reload != nil {
		s.doors["/-/reload"] = door{Handler: http.HandlerFunc(s.reload), changes: true}
	}
	if cfg.Pprof {
		s.pprof = profiles()
	}
	s.http = http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second, // net/http/pprof extends it for a profile
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(d.Log.Handler(), slog.LevelWarn),
	}
	return s, nil
}

// Serve answers on ln until Shutdown, and then returns nil. It closes ln.
func (s *Server) Serve(ln net.Listener) error {
	if s.deps.TLS != nil {
		ln = tls.NewListener(ln, s.deps.TLS)
	}
	if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the admin listener on %q: %w", ln.Addr(), err)
	}
	return nil
}

// Shutdown closes the listener and waits for what is being answered. When ctx
// ends first it cuts the rest off and returns an error.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // what is left can't be helped: the first error says why
		return fmt.Errorf("cannot shut the admin listener down in time: %w", err)
	}
	return nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	door, found := s.find(r.URL.Path)
	guard := s.guard.Load()
	switch {
	case !door.public && !door.shell && !guard.authorised(r):
		s.noteIntruder(r)
		w.Header().Set("WWW-Authenticate", `Bearer realm="gateway admin"`)
		refuse(w, http.StatusUnauthorized, "This page needs the admin token. Send it as 'Authorization: Bearer <token>'.")
	case !door.public && !guard.hostAllowed(r.Host):
		refuse(w, http.StatusMisdirectedRequest, "The admin listener answers only to localhost. Open it as http://localhost and its port.")
	case !found:
		refuse(w, http.StatusNotFound, "There is no such page. See / for what there is.")
	default:
		s.open(&door, w, r)
	}
}

// open lets a request through a door that it has found and may use. A POST of
// another site's page is refused, whatever it says it carries.
func (s *Server) open(d *door, w http.ResponseWriter, r *http.Request) {
	if ok, allow := d.takes(r.Method); !ok {
		w.Header().Set("Allow", allow)
		refuse(w, http.StatusMethodNotAllowed, "This method is not allowed here. Use "+strings.ReplaceAll(allow, ", ", " or ")+".")
		return
	}
	if err := s.foreign.Check(r); err != nil || d.private && isForeign(r) {
		refuse(w, http.StatusForbidden, "A page of another site may ask nothing here.")
		return
	}
	if d.shell && s.guard.Load().needToken {
		w.Header().Set("X-Admin-Token", "required") // so that the page asks for it before it is refused
	}
	d.ServeHTTP(w, r)
}

func (s *Server) find(path string) (d door, found bool) {
	if strings.HasPrefix(path, "/debug/pprof/") && s.pprof != nil {
		return door{Handler: s.pprof}, true
	}
	d, found = s.doors[path]
	return d, found
}

// metrics serves what can be gathered even when one collector fails.
func metrics(r *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
		ErrorHandling:     promhttp.ContinueOnError,
	})
}

func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
