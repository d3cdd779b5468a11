package peer

import (
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryConfigurationCarriesItsSettings(t *testing.T) {
	for _, p := range All("gateway") {
		path := filepath.Join(t.TempDir(), p.conf)
		settings := Settings{Upstream: "127.0.0.1:7777", PerIP: 4321, TLS: true}
		if err := fill(p.conf, path, file{Settings: settings, Dir: "/where", Port: 8888, AdminPort: 9999, Threads: 1, Burst: 4320}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"127.0.0.1:7777", "8888"}
		if p.Policy {
			want = append(want, "4321")
		}
		if p.Name != HAProxyCopy {
			want = append(want, "/where/")
		}
		for _, w := range want {
			if !strings.Contains(string(text), w) {
				t.Errorf("%s: cannot find %q in:\n%s", p.Name, w, text)
			}
		}
	}
}

// The gateway itself finds nothing wrong with what it is started with.
func TestTheGatewaysConfigurationIsRight(t *testing.T) {
	dir := t.TempDir()
	if err := writeCertificate(dir); err != nil {
		t.Fatal(err)
	}
	for _, settings := range []Settings{{}, {TLS: true}, {Redis: "127.0.0.1:6379"}, {PerIP: 1_000_000}} {
		path := filepath.Join(dir, "gateway.yaml")
		settings.Upstream, settings.PerIP = "127.0.0.1:7777", max(20, settings.PerIP)
		if err := fill("gateway.yaml", path, file{Settings: settings, Dir: dir, Port: 8888, AdminPort: 9999}); err != nil {
			t.Fatal(err)
		}
		check := exec.CommandContext(t.Context(), "go", "run", "./cmd/gateway", "check", "--config", path)
		check.Dir = "../../.."
		if text, err := check.CombinedOutput(); err != nil {
			t.Errorf("%+v: %v\n%s", settings, err, text)
		}
	}
}

func TestTheCertificateFitsItsKey(t *testing.T) {
	dir := t.TempDir()
	if err := writeCertificate(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")); err != nil {
		t.Error(err)
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "both.pem"), filepath.Join(dir, "both.pem")); err != nil {
		t.Error(err)
	}
}

func TestAPeerThatEndsAtOnceSaysWhy(t *testing.T) {
	p := Peer{Name: "broken", conf: "gateway.yaml", cmd: []string{"sh", "-c", "echo the reason; exit 1"}}
	i, err := p.Start(Settings{})
	if err == nil {
		i.Stop()
		t.Fatal("started")
	}
	if !strings.Contains(err.Error(), "the reason") {
		t.Errorf("the error is %q", err)
	}
}
