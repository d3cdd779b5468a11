// What checks the files of deploy, dashboards and the schema against the types
// that their readers use. It is a module of its own, so that none of it enters
// the product's go.mod.
module github.com/chatshipper/gateway/deploy/verify

go 1.26.0

require (
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
	sigs.k8s.io/yaml v1.6.0
)

require (
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/kr/pretty v0.3.1 // indirect
	go.yaml.in/yaml/v2 v2.4.3 // indirect
	golang.org/x/text v0.31.0 // indirect
	gopkg.in/check.v1 v1.0.0-20201130134442-10cb98267c6c // indirect
)
