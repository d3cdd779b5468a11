package admin

import (
	"encoding/json"
	"net/http"
	"strings"
)

// policy lets a browser do nothing with an answer but show it.
const policy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// protect sets the headers of every answer: nothing here may be cached, framed,
// guessed at or used by another site.
func protect(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

// answer is the JSON of everything but a page.
type answer struct {
	Message string   `json:"message"`
	Status  int      `json:"status"`
	Ready   *bool    `json:"ready,omitempty"`
	Reasons []string `json:"reasons,omitempty"`

	NeedsRestart []string `json:"needs_restart,omitempty"`
}

func (a answer) writeTo(w http.ResponseWriter) {
	body, err := json.Marshal(a)
	if err != nil {
		panic("BUG: an answer that is no JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.Status)
	_, _ = w.Write(append(body, '\n')) // a client that went away is no concern of ours
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer{Message: message, Status: status}.writeTo(w)
}

// healthz answers as long as the process lives.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyz answers 503, and why, while the gateway can't serve.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	reasons := s.deps.Ready()
	ready := len(reasons) == 0
	a := answer{Message: readiness(reasons), Status: http.StatusOK, Ready: &ready, Reasons: reasons}
	if !ready {
		a.Status = http.StatusServiceUnavailable
	}
	a.writeTo(w)
}

// readiness is the state in words.
func readiness(reasons []string) string {
	if len(reasons) == 0 {
		return "ready"
	}
	return "not ready: " + strings.Join(reasons, ", ")
}
