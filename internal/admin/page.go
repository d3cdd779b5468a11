package admin

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
	"time"
)

const style = `:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}
.state{padding:.5rem 1rem;border-left:.5rem solid #b00020}
.ready{border-color:#1b7f3b}
dt{font-weight:600}dd{margin:0 0 .5rem}`

// policy lets a browser load nothing and apply only the style above.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

const (
	pageHead = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>gateway: %s</title>
<style>` + style + `</style>
</head>
<body>
<h1>ChatShipper gateway</h1>
<p class="%s" role="status">%s</p>
<dl>
<dt>Version</dt><dd>%s</dd>
<dt>Running for</dt><dd>%s</dd>
`
	pageFact  = "<dt>%s</dt><dd>%s</dd>\n"
	pageLinks = `</dl>
<ul>
<li><a href="/metrics">/metrics</a>: what Prometheus scrapes</li>
<li><a href="/healthz">/healthz</a>: does the process live</li>
<li><a href="/readyz">/readyz</a>: can it serve, and why not</li>
`
	pageProfiles = `<li><a href="/debug/pprof/">/debug/pprof/</a>: profiles of the process</li>
`
	pageEnd = `</ul>
</body>
</html>
`
)

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	reasons := s.deps.Ready()
	class, explained := "state ready", "Ready: requests are being served."
	if len(reasons) > 0 {
		class, explained = "state", "Not ready: "+strings.Join(reasons, ", ")+"."
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	say(w, pageHead, readiness(reasons), class, explained, s.deps.Version, time.Since(s.deps.Started).Round(time.Second).String())
	if s.deps.Facts != nil {
		for _, f := range s.deps.Facts() {
			say(w, pageFact, f.Name, f.Value)
		}
	}
	say(w, pageLinks)
	if s.pprof != nil {
		say(w, pageProfiles)
	}
	say(w, pageEnd)
}

// say writes a part of the page with values in it, which may hold anything: none
// can become markup, in an element or in a quoted attribute. imports_test.go says
// why html/template does not do it.
func say(w io.Writer, format string, values ...string) {
	escaped := make([]any, len(values))
	for i, v := range values {
		escaped[i] = html.EscapeString(v)
	}
	_, _ = fmt.Fprintf(w, format, escaped...) // a browser that went away is its own affair
}
