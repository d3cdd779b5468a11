// Package gateway is the root of the module. It holds only the files that the
// program carries with it and that people look for here.
package gateway

import _ "embed"

// Example is config.example.yaml: every key with its default and one line that
// explains it.
//
//go:embed config.example.yaml
var Example []byte
