package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(root, "dashboards/compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  filepath.Dir(file),
		ConfigFiles: []types.ConfigFile{{Filename: file}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestTheComposeFileHasTheWholeScene(t *testing.T) {
	project := loadCompose(t)
	for _, name := range []string{"gateway", "sandbox", "redis", "prometheus", "grafana"} {
		service, ok := project.Services[name]
		if !ok {
			t.Errorf("there is no %s", name)
			continue
		}
		if !service.ReadOnly || len(service.CapDrop) != 1 || service.CapDrop[0] != "ALL" || len(service.SecurityOpt) != 1 {
			t.Errorf("%s may do more than it must", name)
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s is reachable from other machines on port %s", name, port.Published)
			}
		}
		for on, how := range service.DependsOn {
			if check := project.Services[on].HealthCheck; how.Condition == types.ServiceConditionHealthy && (check == nil || check.Disable) {
				t.Errorf("%s waits for %s to be healthy, which never says so", name, on)
			}
		}
	}
	if grace := project.Services["gateway"].StopGracePeriod; grace == nil || time.Duration(*grace) < 30*time.Second {
		t.Error("the gateway is killed while it drains")
	}
}

func TestEveryFileOfTheComposeFileIsThere(t *testing.T) {
	project := loadCompose(t)
	files := 0
	for _, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type == types.VolumeTypeBind {
				files++
				if _, err := os.Stat(volume.Source); err != nil || !volume.ReadOnly {
					t.Errorf("%s: %v; read only: %v", service.Name, err, volume.ReadOnly)
				}
			}
		}
		if service.Build != nil {
			if _, err := os.Stat(filepath.Join(service.Build.Context, service.Build.Dockerfile)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, secret := range project.Secrets {
		files++
		if _, err := os.Stat(secret.File); err != nil {
			t.Error(err)
		}
	}
	if files < 6 {
		t.Errorf("looked at only %d files", files)
	}
}

func TestAWrongComposeFileIsNoticed(t *testing.T) {
	_, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: t.TempDir(),
		ConfigFiles: []types.ConfigFile{{
			Filename: "compose.yaml", Content: []byte("name: x\nservices: {a: {image: b, readonly: true}}"),
		}},
	})
	if err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("got %v", err)
	}
}
