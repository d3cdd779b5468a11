// Package verify holds the files that other programs read to those programs'
// own types and libraries: the configuration's schema, the Kubernetes manifests
// and the compose file.
package verify

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// root is the folder of the product's module.
const root = "../.."

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// documents splits a YAML stream.
func documents(data []byte) [][]byte {
	var list [][]byte
	for _, document := range bytes.Split(data, []byte("\n---\n")) {
		if len(bytes.TrimSpace(document)) > 0 {
			list = append(list, document)
		}
	}
	return list
}
