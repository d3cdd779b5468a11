package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// files are the page and what it loads; scripts/console-assets.sh fetches those in
// vendor, whose licences are beside them.
//
//go:embed assets
var files embed.FS

// policy lets a browser run and apply only what this listener serves, send
// requests only to it, and show the page in no frame. There is no inline script
// and no inline style.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// kinds are the types that are served. A licence is not: it is for who reads the
// source.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
}

// asset is one file as it is served.
type asset struct {
	kind, tag string
	body      []byte
}

func loadAssets() map[string]*asset {
	assets := make(map[string]*asset)
	err := fs.WalkDir(files, "assets", func(name string, entry fs.DirEntry, err error) error {
		kind, served := kinds[path.Ext(name)]
		if err != nil || entry.IsDir() || !served {
			return err
		}
		body, err := files.ReadFile(name)
		sum := sha256.Sum256(body)
		at := "/" + strings.TrimSuffix(name, "assets/index.html")
		assets[at] = &asset{kind, `"` + hex.EncodeToString(sum[:8]) + `"`, body}
		return err
	})
	if err != nil {
		panic("BUG: the assets can't be read: " + err.Error())
	}
	return assets
}

// Shell is the page at / and what it loads, by path. It holds nothing of the
// gateway: a browser gets it without a token, because it can't send one before
// the page has asked for it.
func (c *Console) Shell() map[string]http.Handler {
	doors := make(map[string]http.Handler, len(c.assets))
	for at, a := range c.assets {
		doors[at] = a
	}
	return doors
}

// ServeHTTP serves the file. Only the page itself is never kept; the rest is
// asked for again with its tag.
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Content-Security-Policy", policy)
	if !strings.HasPrefix(a.kind, "text/html") {
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", a.tag)
		if r.Header.Get("If-None-Match") == a.tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	_, _ = w.Write(a.body) // a browser that went away is no concern of ours
}
