package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// configMap is a folder as the kubelet mounts it: what is seen is a link to a link,
// and a new content comes by swapping the one in the middle.
type configMap struct {
	dir     string
	version int
}

// write puts a new content in the place of the old one, in one step.
func (m *configMap) write(t *testing.T, text string) {
	t.Helper()
	m.version++
	data := fmt.Sprintf("..%d", m.version)
	link := filepath.Join(m.dir, "..data")
	err := errors.Join(
		os.Mkdir(filepath.Join(m.dir, data), 0o700),
		os.WriteFile(filepath.Join(m.dir, data, "gateway.yaml"), []byte(text), 0o600),
		os.Symlink(data, link+"_tmp"),
		os.Rename(link+"_tmp", link),
	)
	if m.version == 1 {
		err = errors.Join(err, os.Symlink("..data/gateway.yaml", filepath.Join(m.dir, "gateway.yaml")))
	}
	if err != nil {
		t.Fatalf("cannot write the config map: %v", err)
	}
}

// reloading is a gateway whose configuration changes all the time.
type reloading struct {
	*gateway
	files     configMap
	good, bad int // reloads that were to work, and not to
	limit     int
}

// text is a configuration that differs from the one before in what every request
// meets: limits, trusted proxies, whose the keys are.
func (r *reloading) text() string {
	r.limit++
	return fmt.Sprintf(`
listen: {address: %q, trusted_proxies: [127.0.%d.0/24]}
admin: {address: %q}
upstream: {url: %q, preserve_host: %v}
identity: {users: [{id: 65aa001122334455667700d1, role: %s}]}
limits: {per_ip: {requests: %d}, per_key: {requests: %[7]d}}
`, r.address, 1+r.limit%200, r.admin, r.upstream, r.limit%2 == 0, []string{"bot", "human"}[r.limit%2], 10_000+r.limit)
}

// post asks for a reload as an operator does.
func (r *reloading) post(t *testing.T, want int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.admin+"/-/reload", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	a, err := exchange(http.DefaultClient, req)
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, a, want)
}

// waitFor waits until the log tells of so many reloads of either kind.
func (r *reloading) waitFor(t *testing.T) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d reloads have worked and %d have not", r.good, r.bad), func() error {
		good := strings.Count(r.stderr.String(), `"msg":"configuration was reloaded"`)
		bad := strings.Count(r.stderr.String(), `"msg":"configuration was not reloaded`)
		if good < r.good || bad < r.bad {
			return fmt.Errorf("%d have, %d have not", good, bad)
		}
		return nil
	})
}

// change brings a new configuration, in each of the three ways in turn. The file's
// content is looked at every 2 s, too, so a change may be found twice.
func (r *reloading) change(t *testing.T, n int) {
	t.Helper()
	r.good++
	switch r.files.write(t, r.text()); n % 3 {
	case 0:
		r.signal(t, syscall.SIGHUP)
	case 1:
		r.post(t, 200)
	}
	r.waitFor(t)
	if n%2 == 1 {
		return
	}
	r.bad++
	switch r.files.write(t, "limitz: {}\n"+r.text()+"log: {level: loud}\n"); n % 3 {
	case 0:
		r.signal(t, syscall.SIGHUP)
	case 1:
		r.post(t, 422)
	}
	r.waitFor(t)
}

func TestReloadsUnderLoadLoseNoRequest(t *testing.T) {
	t.Parallel()
	seen := &onceOnly{posts: map[string]int{}}
	r := &reloading{gateway: &gateway{address: freeAddress(t), admin: freeAddress(t), upstream: startStub(t, seen.handle).URL}}
	r.files.dir = t.TempDir()
	r.files.write(t, r.text())
	r.config = filepath.Join(r.files.dir, "gateway.yaml")
	r.process = launch(t, "run", "--config", r.config)
	r.awaitReady(t)
	load := startLoad(t, r.url()+"/v2/users", &http.Transport{})
	for n, end := 0, time.Now().Add(loadTime); time.Now().Before(end); n++ {
		r.change(t, n)
	}
	load.wantNoFailure(t, fmt.Sprintf("%d reloads, %d of files with mistakes", r.good+r.bad, r.bad))
	seen.wantNoRepeat(t)
	if r.good < 10 || r.bad < 5 {
		t.Errorf("only %d reloads worked and %d did not in %v", r.good, r.bad, loadTime)
	}
	wantValue(t, r.metrics(t), "gateway_panics_total", 0)
}
