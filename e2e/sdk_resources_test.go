package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// manyRequests leaves the request limits on, but too high for a test to meet.
const manyRequests = "limits: {per_ip: {requests: 100000}, per_key: {requests: 100000}}\n"

// runScript runs a script of sdk/ to its end and returns the JSON lines that it
// prints.
func runScript[Line any](t *testing.T, script string, input map[string]any) []Line {
	t.Helper()
	document, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "sdk/"+script)
	node.Stdin = bytes.NewReader(document)
	var stdout, stderr bytes.Buffer
	node.Stdout, node.Stderr = &stdout, &stderr
	if err := node.Run(); err != nil {
		t.Fatalf("cannot run %s: %v\n%s", script, err, lastBytes(stderr.String(), 3000))
	}
	var lines []Line
	for decoder := json.NewDecoder(&stdout); decoder.More(); {
		var line Line
		if err := decoder.Decode(&line); err != nil {
			t.Fatalf("cannot read what %s printed: %v", script, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// arrivals are the counters of the sandbox.
type arrivals struct {
	Requests int
	Routes   map[string]int
}

func (s *sandbox) arrivals(t *testing.T) arrivals {
	t.Helper()
	var a arrivals
	if err := json.Unmarshal(s.direct(t, call{path: "/sandbox/stats"}).body, &a); err != nil {
		t.Fatalf("cannot read the statistics: %v", err)
	}
	return a
}

// since are the requests that came after earlier ones.
func (a arrivals) since(earlier arrivals) arrivals {
	routes := maps.Clone(a.Routes)
	for route, n := range earlier.Routes {
		if routes[route] -= n; routes[route] == 0 {
			delete(routes, route)
		}
	}
	return arrivals{a.Requests - earlier.Requests, routes}
}

// wantAllThroughTheGateway checks that the gateway has seen as many requests as
// the sandbox, so that none went around it.
func wantAllThroughTheGateway(t *testing.T, g *gateway, arrived arrivals) {
	t.Helper()
	eventually(t, "the gateway has counted what the sandbox has", func() error {
		if got := g.metrics(t).sum("gateway_requests_total"); int(got) != arrived.Requests {
			return fmt.Errorf("the gateway counted %v requests, the sandbox %d", got, arrived.Requests)
		}
		return nil
	})
}

// crud is one call of a resource's method.
type crud struct {
	Resource, Method string
	OK               bool
	ID               string // of the resource, once it is created
	Message          string
	Result           json.RawMessage
	Headers          map[string]string
}

// readmeResources are those that the SDK's own documentation names.
var readmeResources = []string{
	"users", "channels", "contacts", "conversations", "messages", "organizations", "orggroups",
	"services", "forms", "workflows", "kbases", "kbitems", "articles", "files",
}

func TestEveryMethodOfEveryResourceOfTheSDKWorksThroughTheGateway(t *testing.T) {
	t.Parallel()
	for name, callbacks := range map[string]bool{"promises": false, "callbacks": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSandbox(t)
			g := startGateway(t, s.url(), setup{rest: manyRequests +
				"methods: {exceptions: [{method: PUT, path: \"/v2/messages/{id}\"}]}\n"})
			calls := runScript[crud](t, "resources.js", map[string]any{
				"host": g.url(), "token": s.tokens["admin"], "callbacks": callbacks,
				"drafts": map[string]any{
					"users":         map[string]any{"email": "new@demo.example", "role": "agent"},
					"services":      map[string]any{"name": "a service", "type": "smartsupp"},
					"contacts":      map[string]any{"name": "a contact", "profile": map[string]any{"email": "new@consumer.example"}},
					"conversations": map[string]any{"type": "agent", "messages": []any{message("hello")}},
					"messages":      map[string]any{"conversation": seededThread, "text": "hello"},
				},
			})
			resources := map[string][]crud{}
			for _, c := range calls {
				resources[c.Resource] = append(resources[c.Resource], c)
			}
			for _, name := range readmeResources {
				if len(resources[name]) == 0 {
					t.Errorf("the SDK has no resource %s", name)
				}
			}
			arrived := s.arrivals(t)
			for name, calls := range resources {
				wantTour(t, calls)
				wantArrivals(t, name, arrived)
			}
			wantAllThroughTheGateway(t, g, arrived)
		})
	}
}

// seededThread is the conversation that every sandbox begins with.
const seededThread = "65aa0e00aabbccddeeff0001"

// wantTour checks the calls to one resource: made, found, listed, changed, gone.
func wantTour(t *testing.T, calls []crud) {
	t.Helper()
	var methods []string
	for _, c := range calls {
		methods = append(methods, c.Method)
		if !c.OK {
			t.Errorf("%s.%s: %s", c.Resource, c.Method, c.Message)
		}
		wantResult(t, c)
	}
	want := []string{"create", "get", "get", "list", "update", "delete"}
	if calls[0].Resource == "messages" {
		want = slices.Insert(want, 5, "replace")
	}
	if !slices.Equal(methods, want) {
		t.Errorf("the SDK's methods of %s are called as %v, want %v", calls[0].Resource, methods, want)
	}
}

// wantResult checks what the SDK hands to its caller.
func wantResult(t *testing.T, c crud) {
	t.Helper()
	var one struct{ ID, Name string }
	switch c.Method {
	case "delete":
		if text := string(c.Result); text != `""` {
			t.Errorf("%s.delete resolves to %s, want the empty body", c.Resource, text)
		}
	case "list":
		var list []struct{ ID string }
		if err := json.Unmarshal(c.Result, &list); err != nil || len(list) != 1 || list[0].ID != c.ID {
			t.Errorf("%s.list resolves to %s, want only %s", c.Resource, c.Result, c.ID)
		}
		if c.Headers["totalCount"] != "1" {
			t.Errorf("%s.list has headers.totalCount %q, want 1", c.Resource, c.Headers["totalCount"])
		}
	default:
		if err := json.Unmarshal(c.Result, &one); err != nil || one.ID == "" || (c.ID != "" && one.ID != c.ID) {
			t.Errorf("%s.%s resolves to %s, want the resource %s", c.Resource, c.Method, c.Result, c.ID)
		}
		if c.Method == "update" && one.Name != "changed" {
			t.Errorf("%s.update resolves to %s, want the new name", c.Resource, c.Result)
		}
	}
}

// wantArrivals checks that each call was one request at the sandbox.
func wantArrivals(t *testing.T, resource string, arrived arrivals) {
	t.Helper()
	collection := "/v2/" + resource
	for route, want := range map[string]int{
		"POST " + collection: 1, "GET " + collection: 1, "GET " + collection + "/{id}": 2,
		"PATCH " + collection + "/{id}": 1, "DELETE " + collection + "/{id}": 1,
	} {
		if got := arrived.Routes[route]; got != want {
			t.Errorf("the sandbox saw %d × %s, want %d", got, route, want)
		}
	}
}
