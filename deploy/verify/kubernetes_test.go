package verify

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	kustomize "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the PrometheusRule anew from dashboards/alerts.yml")

// kinds are all that the manifests may hold.
var kinds = map[string]func() any{
	"apps/v1 Deployment":                            func() any { return new(apps.Deployment) },
	"autoscaling/v2 HorizontalPodAutoscaler":        func() any { return new(autoscaling.HorizontalPodAutoscaler) },
	"kustomize.config.k8s.io/v1alpha1 Component":    func() any { return new(kustomize.Kustomization) },
	"kustomize.config.k8s.io/v1beta1 Kustomization": func() any { return new(kustomize.Kustomization) },
	"monitoring.coreos.com/v1 PodMonitor":           func() any { return new(monitoring.PodMonitor) },
	"monitoring.coreos.com/v1 PrometheusRule":       func() any { return new(monitoring.PrometheusRule) },
	"networking.k8s.io/v1 NetworkPolicy":            func() any { return new(networking.NetworkPolicy) },
	"policy/v1 PodDisruptionBudget":                 func() any { return new(policy.PodDisruptionBudget) },
	"v1 ConfigMap":                                  func() any { return new(core.ConfigMap) },
	"v1 Service":                                    func() any { return new(core.Service) },
}

// decode reads a manifest as the API server does with strict validation: a field
// that does not exist, in whatever case, is an error.
func decode(t *testing.T, text []byte) any {
	t.Helper()
	data, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	var kind struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.UnmarshalCaseSensitivePreserveInts(data, &kind); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	blank := kinds[kind.APIVersion+" "+kind.Kind]
	if blank == nil {
		t.Fatalf("nobody knows a %s %s", kind.APIVersion, kind.Kind)
	}
	object := blank()
	strict, err := json.UnmarshalStrict(data, object)
	if err != nil || len(strict) > 0 {
		t.Errorf("%s: %v %v", kind.Kind, strict, err)
	}
	return object
}

// render builds a kustomization as kubectl does.
func render(t *testing.T, folder string) []any {
	t.Helper()
	options := krusty.MakeDefaultOptions()
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "deploy/kubernetes", folder))
	if err != nil {
		t.Fatal(err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	var objects []any
	for _, document := range documents(text) {
		objects = append(objects, decode(t, document))
	}
	return objects
}

func TestEveryManifestIsWhatKubernetesKnows(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(filepath.Join(root, "deploy/kubernetes"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "gateway.yaml" { // a configuration: internal/config looks at it
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		t.Run(filepath.Base(filepath.Dir(path))+"/"+entry.Name(), func(t *testing.T) {
			for _, document := range documents(text) {
				decode(t, document)
				seen++
			}
		})
		return nil
	})
	if err != nil || seen == 0 {
		t.Errorf("%d manifests: %v", seen, err)
	}
}

func TestAFieldThatDoesNotExistIsNoticed(t *testing.T) {
	data, err := yaml.YAMLToJSONStrict([]byte("apiVersion: v1\nkind: Service\nspec: {Ports: []}"))
	if err != nil {
		t.Fatal(err)
	}
	if strict, err := json.UnmarshalStrict(data, new(core.Service)); err != nil || len(strict) != 1 {
		t.Errorf("got %v, %v", strict, err)
	}
}

// find returns the objects of a type.
func find[T any](objects []any) (found []T) {
	for _, o := range objects {
		if x, ok := o.(T); ok {
			found = append(found, x)
		}
	}
	return found
}

func TestTheStandaloneGatewayIsComplete(t *testing.T) {
	objects := render(t, "standalone")
	deployment := find[*apps.Deployment](objects)[0]
	pod := deployment.Spec.Template.Spec
	gateway := pod.Containers[0]
	selector := deployment.Spec.Selector.MatchLabels
	for name, value := range selector {
		if deployment.Spec.Template.Labels[name] != value {
			t.Errorf("the pods lack the label %s", name)
		}
	}
	if len(selector) == 0 || len(find[*networking.NetworkPolicy](objects)[0].Spec.PodSelector.MatchLabels) != len(selector) {
		t.Error("the selectors differ")
	}
	if !strings.HasPrefix(gateway.Image, "registry.example.com/gateway:") {
		t.Errorf("the image is %q", gateway.Image)
	}
	isConfined(t, pod.SecurityContext, gateway)
	isCareful(t, pod, gateway)
	if sleep := gateway.Lifecycle.PreStop.Sleep.Seconds; *pod.TerminationGracePeriodSeconds < sleep+25+5 {
		t.Errorf("the pod is killed while it drains")
	}
}

func TestTheSidecarIsNative(t *testing.T) {
	objects := render(t, "example-bot")
	pod := find[*apps.Deployment](objects)[0].Spec.Template
	gateway := pod.Spec.InitContainers[0]
	if gateway.RestartPolicy == nil || *gateway.RestartPolicy != core.ContainerRestartPolicyAlways || len(pod.Spec.Containers) != 1 {
		t.Error("the gateway is no native sidecar, or the bot is lost")
	}
	isConfined(t, nil, gateway)
	isCareful(t, pod.Spec, gateway)
	if got := *pod.Spec.TerminationGracePeriodSeconds; got < 25+5 {
		t.Errorf("the pod is killed after %d s", got)
	}
	configuration := find[*core.ConfigMap](objects)[0].Data["gateway.yaml"]
	if !strings.Contains(configuration, "mode: off") {
		t.Error("all clients of a sidecar share one address, but the limit per address is on")
	}
	if pod.Spec.Containers[0].Env[0].Value != "http://127.0.0.1:8080" || !strings.Contains(configuration, `"127.0.0.1:8080"`) {
		t.Error("the bot calls another address than the gateway's")
	}
	monitor := find[*monitoring.PodMonitor](objects)[0]
	if pod.Labels[monitor.Spec.Selector.MatchExpressions[0].Key] == "" || *monitor.Spec.PodMetricsEndpoints[0].Port != "admin" {
		t.Error("the PodMonitor does not see the sidecar")
	}
}

// isConfined demands what the restricted Pod Security Standard demands, and a
// file system that can't be written.
func isConfined(t *testing.T, pod *core.PodSecurityContext, c core.Container) {
	t.Helper()
	own := c.SecurityContext
	user, nonRoot, seccomp := own.RunAsUser, own.RunAsNonRoot, own.SeccompProfile
	if pod != nil {
		user, nonRoot, seccomp = pod.RunAsUser, pod.RunAsNonRoot, pod.SeccompProfile
	}
	if *user != 65532 || !*nonRoot || seccomp.Type != core.SeccompProfileTypeRuntimeDefault || *own.AllowPrivilegeEscalation ||
		!*own.ReadOnlyRootFilesystem || len(own.Capabilities.Drop) != 1 || own.Capabilities.Drop[0] != "ALL" || len(own.Capabilities.Add) > 0 {
		t.Errorf("%s may do more than it must: %+v", c.Name, own)
	}
}

// isCareful demands probes, memory that Go knows of, and files that can change.
func isCareful(t *testing.T, pod core.PodSpec, c core.Container) {
	t.Helper()
	if c.StartupProbe == nil || c.LivenessProbe.HTTPGet.Path != "/healthz" || c.ReadinessProbe.HTTPGet.Path != "/readyz" {
		t.Error("a probe is missing or asks for the wrong thing")
	}
	limit := c.Resources.Limits.Memory().Value()
	memory := resource.MustParse(strings.TrimSuffix(c.Env[0].Value, "B")) // GOMEMLIMIT says MiB, Kubernetes Mi
	if c.Env[0].Name != "GOMEMLIMIT" || memory.Value() < limit*8/10 || memory.Value() > limit*9/10 || c.Resources.Requests.Memory().Value() != limit {
		t.Errorf("GOMEMLIMIT %s does not suit the memory limit of %d bytes", c.Env[0].Value, limit)
	}
	if !c.Resources.Limits.Cpu().IsZero() {
		t.Error("a CPU limit throttles")
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, m := range c.VolumeMounts {
		if !m.ReadOnly || m.SubPath != "" || !volumes[m.Name] {
			t.Errorf("%s is mounted so that it can be written, can't change, or does not exist", m.Name)
		}
	}
}

// The rules of the operator are those of dashboards/alerts.yml.
func TestThePrometheusRuleIsThatOfTheDashboards(t *testing.T) {
	const path = "deploy/kubernetes/monitoring/prometheusrule.yaml"
	want := []byte("# Written from dashboards/alerts.yml: go -C deploy/verify test -update\n" +
		"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: gateway\nspec:\n")
	for line := range strings.Lines(string(read(t, "dashboards/alerts.yml"))) {
		if !strings.HasPrefix(line, "#") {
			if line != "\n" {
				line = "  " + line
			}
			want = append(want, line...)
		}
	}
	if *update {
		if err := os.WriteFile(filepath.Join(root, path), want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if string(read(t, path)) != string(want) {
		t.Error("dashboards/alerts.yml has changed: go -C deploy/verify test -update")
	}
	rule := decode(t, want).(*monitoring.PrometheusRule)
	alerts := 0
	for _, group := range rule.Spec.Groups {
		for _, r := range group.Rules {
			if r.Alert != "" {
				alerts++
			}
		}
	}
	if alerts == 0 {
		t.Error("no alert")
	}
}
