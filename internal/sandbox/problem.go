package sandbox

import (
	"fmt"
	"net/http"
)

// problem is an answer with a status of 400 or more.
type problem struct {
	status int
	text   string
	header http.Header
}

func (p *problem) Error() string { return p.text }

func refuse(status int, format string, args ...any) error {
	return &problem{status: status, text: fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return refuse(http.StatusBadRequest, format, args...)
}

func unprocessable(format string, args ...any) error {
	return refuse(http.StatusUnprocessableEntity, format, args...)
}

func forbidden(format string, args ...any) error {
	return refuse(http.StatusForbidden, format, args...)
}

func notFound(title string) error { return refuse(http.StatusNotFound, "%s not found", title) }

// body carries the text twice: the documentation names `message`, the
// official SDK reads `error.message`.
func (p *problem) body() object {
	return obj("message", p.text, "status", p.status,
		"error", obj("message", p.text, "status", p.status))
}
