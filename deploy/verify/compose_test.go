package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
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

// The gateway of the scene counts in the Redis of the scene, and finds there every
// secret that its configuration names.
func TestTheGatewayOfTheSceneUsesItsRedis(t *testing.T) {
	project := loadCompose(t)
	var c struct {
		Admin struct {
			TokenFile string `json:"token_file"`
		}
		Store struct {
			Kind  string
			Redis struct {
				Addresses     []string
				KeySecret     string `json:"key_secret"`
				KeySecretFile string `json:"key_secret_file"`
			}
		}
	}
	if err := yaml.Unmarshal(read(t, "dashboards/compose/gateway.yaml"), &c); err != nil {
		t.Fatal(err)
	}
	if c.Store.Kind != "redis" || len(c.Store.Redis.Addresses) == 0 || c.Store.Redis.KeySecret != "" {
		t.Errorf("the store is %+v", c.Store)
	}
	for _, address := range c.Store.Redis.Addresses {
		name, port, _ := strings.Cut(address, ":")
		if redis, ok := project.Services[name]; !ok || port != "6379" || redis.Command[0] != "redis-server" {
			t.Errorf("nobody is called %s", address)
		}
	}
	if how := project.Services["gateway"].DependsOn["redis"].Condition; how != types.ServiceConditionHealthy {
		t.Errorf("the gateway starts when redis is %q", how)
	}
	given := map[string]bool{}
	for _, secret := range project.Services["gateway"].Secrets {
		given["/run/secrets/"+secret.Source] = true
	}
	for _, file := range []string{c.Admin.TokenFile, c.Store.Redis.KeySecretFile} {
		if !given[file] {
			t.Errorf("%s is no secret that the gateway is given", file)
		}
	}
	if secret := strings.TrimSpace(string(read(t, "dashboards/compose/store.secret"))); len(secret) < 16 {
		t.Errorf("the secret has %d characters, the gateway wants 16", len(secret))
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
