package admin

import (
	"log/slog"
	"net/http"
	"strings"
)

// reload puts the configuration file in force, as SIGHUP does, and says what
// became of it.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	restart, err := s.deps.Reload(r.Context())
	if err != nil {
		s.audit(r, "reload", "refused")
		answer{
			Message: "The configuration was not reloaded; the last good one stays in force.",
			Status:  http.StatusUnprocessableEntity, Reasons: strings.Split(err.Error(), "\n"),
		}.writeTo(w)
		return
	}
	s.audit(r, "reload", "done", "needs_restart", restart)
	answer{Message: "The configuration was reloaded.", Status: http.StatusOK, NeedsRestart: restart}.writeTo(w)
}

// audit writes one line for a change that was asked for here, whatever the log's
// level: what, with which result, and how much is known of who asked. A caller is
// known only by the token; an address is never logged.
func (s *Server) audit(r *http.Request, action, result string, more ...any) {
	peer := "other"
	if isLoopback(hostOf(r.RemoteAddr)) {
		peer = "loopback"
	}
	s.deps.Audit.Info("audit", append([]any{
		slog.String("action", action), slog.String("result", result),
		slog.Bool("token", s.guard.Load().needToken), slog.String("peer", peer),
	}, more...)...)
}

// Prepare reads what of another configuration can take effect without a restart,
// which is the token. Nothing changes until commit is called.
func (s *Server) Prepare(cfg Config) (commit func(), err error) {
	next, err := newGuard(cfg)
	if err != nil {
		return nil, err
	}
	next.localOnly = s.guard.Load().localOnly // the listener stays where it is
	return func() { s.guard.Store(&next) }, nil
}
