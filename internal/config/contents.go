package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/chatshipper/gateway/internal/admin"
	"github.com/chatshipper/gateway/internal/certs"
	"github.com/chatshipper/gateway/internal/identity"
)

// Contents looks into the certificates, keys and tokens that the configuration
// names, and says of each that can't be used where it is named and what is wrong
// with it. The error is a *Mistakes.
func (c *Config) Contents() error { return c.contents(func(Mistake) bool { return false }) }

// ContentsSince is Contents for a reload: it leaves out blocks that name the same
// files as before. A certificate that is being renewed just then must not keep a
// new limit away; but what needs a restart must not make that restart fail.
func (c *Config) ContentsSince(before *Config) error {
	changed := make(map[string]bool)
	for _, path := range before.Changes(c) {
		changed[parent(path)] = true
	}
	return c.contents(func(m Mistake) bool { return !changed[parent(m.Path)] })
}

// contents leaves out what the caller does not want to know.
func (c *Config) contents(unwanted func(Mistake) bool) error {
	l := &loader{file: c.file, origins: c.origins}
	l.contents(reflect.ValueOf(c).Elem(), "")
	if l.list = slices.DeleteFunc(l.list, unwanted); len(l.list) > 0 {
		return l.mistakes()
	}
	return nil
}

func (l *loader) contents(block reflect.Value, path string) {
	for i, key := range keysOf(block.Type()) {
		field, at := block.Field(i), join(path, key)
		switch {
		case field.Kind() == reflect.Struct:
			l.contents(field, at)
		case field.Kind() == reflect.String && field.String() != "":
			if err := usable(block, key, field.String()); err != nil {
				l.report(at, err.Error())
			}
		}
	}
}

// usable tells what is wrong with the file that a key of a block names; nil for a
// key that names none.
func usable(block reflect.Value, key, file string) (err error) {
	switch key {
	case "cert_file":
		twin, _ := fieldOf(block, "key_file")
		_, err = certs.New(file, twin.String())
	case "ca_file":
		err = authorities(file)
	case "public_key_file":
		err = identity.CheckPublicKey(file)
	case "token_file":
		err = admin.CheckToken(file)
	}
	return err
}

// authorities tells what is wrong with a file of certificates to trust.
func authorities(file string) error {
	_, err := certs.Authorities(file)
	switch {
	case errors.Is(err, certs.ErrNoAuthority):
		return fmt.Errorf("cannot use %q: expected at least one certificate in PEM", file)
	case err != nil:
		return fmt.Errorf("cannot read %q: %w", file, cause(err))
	}
	return nil
}
