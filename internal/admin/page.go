package admin

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
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

var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>gateway: {{.State}}</title>
<style>{{.Style}}</style>
</head>
<body>
<h1>ChatShipper gateway</h1>
<p class="state{{if .Ready}} ready{{end}}" role="status">{{.Explained}}</p>
<dl>
<dt>Version</dt><dd>{{.Version}}</dd>
<dt>Running for</dt><dd>{{.Uptime}}</dd>
{{range .Facts}}<dt>{{.Name}}</dt><dd>{{.Value}}</dd>
{{end}}</dl>
<ul>
<li><a href="/metrics">/metrics</a>: what Prometheus scrapes</li>
<li><a href="/healthz">/healthz</a>: does the process live</li>
<li><a href="/readyz">/readyz</a>: can it serve, and why not</li>
{{if .Pprof}}<li><a href="/debug/pprof/">/debug/pprof/</a>: profiles of the process</li>
{{end}}</ul>
</body>
</html>
`))

// status is what the page shows.
type status struct {
	State     string
	Explained string
	Ready     bool
	Version   string
	Uptime    time.Duration
	Facts     []Fact
	Pprof     bool
	Style     template.CSS
}

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	reasons := s.deps.Ready()
	x := status{
		State:     readiness(reasons),
		Explained: "Ready: requests are being served.",
		Ready:     len(reasons) == 0,
		Version:   s.deps.Version,
		Uptime:    time.Since(s.deps.Started).Round(time.Second),
		Pprof:     s.pprof != nil,
		Style:     style,
	}
	if !x.Ready {
		x.Explained = "Not ready: " + strings.Join(reasons, ", ") + "."
	}
	if s.deps.Facts != nil {
		x.Facts = s.deps.Facts()
	}
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, x); err != nil {
		refuse(w, http.StatusInternalServerError, "The status page could not be made.")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes())
}
