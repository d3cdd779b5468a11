package verify

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// validator compiles config.schema.json as an editor does.
func validator(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(read(t, "config.schema.json")))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("config.schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	data, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(value)
}

func TestTheSchemaAcceptsWhatIsRight(t *testing.T) {
	s := validator(t)
	f := func(text string) {
		t.Helper()
		if err := validate(t, s, []byte(text)); err != nil {
			t.Errorf("refused: %v\n%s", err, text)
		}
	}
	f(string(read(t, "config.example.yaml")))
	f(string(read(t, "internal/config/testdata/effective.yaml")))
	const smallest = "upstream: {url: https://api.chatshipper.com}\n"
	f(smallest)
	f(smallest + "limits:\nloopguard: {}\nmethods:\n  allow: ~\n")
	f(smallest + "listen: {max_connections: \"${MAX}\", max_body_bytes: 1048576, idle_timeout: \"${IDLE:-1m30s}\", read_timeout: 1h30m}")
	f(smallest + "store: {memory: {max_bytes: 1.5 GB}}\nlog: {access: \"${ACCESS}\", level: '${LEVEL}'}")
	f(smallest + "limits: {per_ip: {mode: shadow}, overrides: [{user: 123456, requests: 5, window: 500ms}]}")
}

func TestTheSchemaRefusesWhatHasTheWrongShape(t *testing.T) {
	s := validator(t)
	f := func(text, at string) {
		t.Helper()
		if err := validate(t, s, []byte(text)); err == nil || !strings.Contains(err.Error(), at) {
			t.Errorf("want a complaint about %s, got %v:\n%s", at, err, text)
		}
	}
	const smallest = "upstream: {url: https://api.chatshipper.com}\n"
	f("log: {level: info}", "upstream")
	f("upstream: {timeout: 1s}", "url")
	f(smallest+"limitz: {}", "limitz")
	f(smallest+"limits: {per_ip: {request: 3}}", "request")
	f(smallest+"limits: {per_ip: {requests: many}}", "requests")
	f(smallest+"limits: {per_ip: {mode: on}}", "mode")
	f(smallest+"limits: {per_ip: {window: 3}}", "window")
	f(smallest+"limits: {per_ip: {window: 3 minutes}}", "window")
	f(smallest+"limits: {overrides: [{key: x}]}", "overrides")
	f(smallest+"limits: {overrides: {user: x}}", "overrides")
	f(smallest+"limits: [per_ip]", "limits")
	f(smallest+"log: {level: loud}", "level")
	f(smallest+"log: {access: \"yes\"}", "access")
	f(smallest+"listen: {max_body_bytes: 25 potatoes}", "max_body_bytes")
	f(smallest+"listen: {address: {host: a}}", "address")
}

// The fixtures that `gateway check` refuses for their shape: a key that does not
// exist, a value of another type, a word that is none of the known ones.
func TestTheSchemaRefusesTheFixturesThatCheckRefuses(t *testing.T) {
	s := validator(t)
	files, err := filepath.Glob(filepath.Join(root, "internal/config/testdata/*.bad.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot find the fixtures: %v", err)
	}
	// What no schema can see: files that are missing, values that contradict one
	// another, what the environment holds, and what a room alone knows.
	beyond := map[string]bool{
		"files": true, "together": true, "environment": true, "environment_values": true, "placeholder": true,
		"yaml":  true,                                                             // tags and aliases, which are gone when a validator sees the values
		"redis": true, "redis_empty": true, "tracing": true, "tracing_grpc": true, // values that a room knows to contradict one another, or to be of another protocol
		"second_document": true, "broken_second_document": true, // a reader of one document does not see the next
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".bad.yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, s, text); (err == nil) != beyond[name] {
			t.Errorf("%s: accepted is %v, want %v: %v", name, err == nil, beyond[name], err)
		}
	}
}
