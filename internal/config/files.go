package config

import (
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/chatshipper/gateway/internal/unit"
)

// maxSecretBytes bounds a file that holds a secret.
const maxSecretBytes = 64 << 10

// files fills every secret x from its file x_file, and checks that every other
// file that the configuration names can be read.
func (l *loader) files(block reflect.Value, path string) {
	for i, key := range keysOf(block.Type()) {
		field, at := block.Field(i), join(path, key)
		if field.Kind() == reflect.Struct {
			l.files(field, at)
			continue
		}
		name, isFile := strings.CutSuffix(key, "_file")
		if !isFile || field.String() == "" || key == "snapshot_file" { // which the gateway writes
			continue
		}
		if twin, ok := fieldOf(block, name); ok {
			l.secret(twin.Addr().Interface().(*unit.Secret), field.Addr().Interface().(*string), at)
		} else if _, err := readSmall(field.String(), 1); err != nil {
			l.reportOnce(at, err.Error())
		}
	}
}

// SecretFiles lists the files whose content a reload reads anew: those of secrets,
// and that of the admin token.
func (c *Config) SecretFiles() []string {
	files := slices.Sorted(maps.Values(c.secretFiles))
	if c.Admin.TokenFile != "" {
		files = append(files, c.Admin.TokenFile)
	}
	return files
}

// secret moves a secret out of its file, which the key at names. Afterwards the
// secret alone is set, so that no room has two places to look for it.
func (l *loader) secret(into *unit.Secret, file *string, at string) {
	if *into != "" {
		l.reportOnce(at, fmt.Sprintf("only one of %s and %s may be set", strings.TrimSuffix(at, "_file"), at))
		return
	}
	content, err := readSmall(*file, maxSecretBytes+1)
	secret := strings.TrimRight(content, "\r\n") // an editor's line end is no part of it
	switch {
	case err != nil:
		l.reportOnce(at, err.Error())
	case secret == "":
		l.reportOnce(at, fmt.Sprintf("%q is empty", *file))
	case len(content) > maxSecretBytes:
		l.reportOnce(at, fmt.Sprintf("%q is larger than %d KiB", *file, maxSecretBytes>>10))
	default:
		l.secretFiles[at] = *file
		*into, *file = unit.Secret(secret), ""
	}
}

// reportOnce reports a problem unless the room itself has found one there.
func (l *loader) reportOnce(path, problem string) {
	if !slices.ContainsFunc(l.list, func(m Mistake) bool { return m.Path == path }) {
		l.report(path, problem)
	}
}

// readSmall reads at most the first bytes of a regular file. Anything else,
// such as a pipe, might block for ever.
func readSmall(path string, most int64) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("cannot read %q: %w", path, cause(err))
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("cannot read %q: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read %q: %w", path, cause(err))
	}
	defer func() { _ = f.Close() }() // only read from
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return "", fmt.Errorf("cannot read %q: %w", path, cause(err))
	}
	return string(data), nil
}
