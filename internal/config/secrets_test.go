package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/chatshipper/gateway/internal/unit"
)

const canary = "c4n4ry"

func TestSecretsNeverPrint(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(canary+"-3\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := parse(t, smallest+`
identity: {jwt: {secret: "${SECRET}"}}
webhook: {secret: c4n4ry-2}
store: {redis: {password_file: "${FILE}"}}
`, environment("SECRET", canary+"-1", "FILE", file))
	for i, got := range []string{c.Identity.JWT.Secret.Reveal(), c.Webhook.Secret.Reveal(), c.Store.Redis.Password.Reveal()} {
		if want := fmt.Sprintf("%s-%d", canary, i+1); got != want {
			t.Fatalf("the secrets did not arrive: got %q, want %q", got, want)
		}
	}

	see := func(how, what string) {
		t.Helper()
		if strings.Contains(what, canary) || strings.Contains(what, fmt.Sprintf("%x", canary)) {
			t.Errorf("%s shows a secret:\n%s", how, what)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		see(verb, fmt.Sprintf(verb, c))
		see(verb, fmt.Sprintf(verb, *c))
		see(verb, fmt.Sprintf(verb, c.Webhook))
		see(verb, fmt.Sprintf(verb, c.Webhook.Secret))
	}
	see("WriteEffective", effectiveOf(t, c))
	see("Warnings", strings.Join(c.Warnings(), "\n"))
	inYAML, err := yaml.Marshal(c)
	see("YAML", string(inYAML))
	if err != nil {
		t.Error(err)
	}
	inJSON, err := json.Marshal(c)
	see("JSON", string(inJSON))
	if err != nil {
		t.Error(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "all", c, "one", c.Webhook.Secret)
	slog.New(slog.NewTextHandler(&log, nil)).Info("config", "all", c, "one", c.Webhook.Secret)
	see("slog", log.String())
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(content string) (path string) {
		t.Helper()
		f, err := os.CreateTemp(dir, "secret")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if _, err := f.WriteString(content); err != nil {
			t.Fatal(err)
		}
		return f.Name()
	}

	success := func(content, want string) {
		t.Helper()
		c := parse(t, smallest+"webhook: {secret_file: '${FILE}'}", environment("FILE", write(content)))
		if got := c.Webhook.Secret.Reveal(); got != want {
			t.Errorf("unexpected secret from %q: %q", content, got)
		}
		if c.Webhook.SecretFile != "" {
			t.Errorf("the file is still named: the secret has two places")
		}
	}
	success("secret", "secret")
	success("secret\n", "secret")
	success("secret\r\n", "secret")
	success(" two\nlines \n", " two\nlines ")
	success("${HOME} $$", "${HOME} $$") // only the configuration itself is expanded

	failure := func(text, path, want string) {
		t.Helper()
		list := mistakesOf(t, smallest+text, environment("FILE", path))
		if len(list) != 1 || !strings.Contains(list[0].String(), want) || strings.Contains(list[0].String(), canary) {
			t.Errorf("unexpected mistakes of %s: %v", text, list)
		}
	}
	failure("webhook: {secret_file: '${FILE}'}", write("\n"), "is empty")
	failure("webhook: {secret_file: '${FILE}'}", write(strings.Repeat("x", maxSecretBytes+1)), "is larger than 64 KiB")
	failure("webhook: {secret_file: '${FILE}'}", dir, "not a regular file")
	failure("webhook: {secret_file: '${FILE}'}", filepath.Join(dir, "none"), "no such file")
	failure("webhook: {secret: c4n4ry, secret_file: '${FILE}'}", write("x"), "2:40: webhook.secret_file: only one of")
	failure("identity: {jwt: {secret: c4n4ry, secret_file: '${FILE}'}}", write("x"), "identity.jwt.secret_file: ")
	failure("admin: {token_file: '${FILE}'}", filepath.Join(dir, "none"), "admin.token_file: cannot read")

	// An empty variable is no secret, so the file counts
	c := parse(t, smallest+"webhook: {secret: '${NONE:-}', secret_file: '${FILE}'}", environment("FILE", write("x")))
	if c.Webhook.Secret != "x" {
		t.Errorf("unexpected secret %q", c.Webhook.Secret.Reveal())
	}
}

// Every secret has a twin that names a file, and is named by what it is.
func TestEverySecretMayStandInAFile(t *testing.T) {
	found := 0
	var look func(block reflect.Type, path string)
	look = func(block reflect.Type, path string) {
		for i := range block.NumField() {
			f := block.Field(i)
			key := f.Tag.Get("yaml")
			switch {
			case f.Type.Kind() == reflect.Struct:
				look(f.Type, path+key+".")
			case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
				look(f.Type.Elem(), path+key+"[].")
			case f.Type == reflect.TypeFor[unit.Secret]():
				found++
				if twin, ok := block.FieldByName(f.Name + "File"); !ok || twin.Tag.Get("yaml") != key+"_file" || twin.Type.Kind() != reflect.String || strings.Contains(path, "[]") {
					t.Errorf("%s%s has no %s_file that is read", path, key, key)
				}
			case f.Type.Kind() == reflect.String && secretive.MatchString(key):
				t.Errorf("%s%s is a plain string, which prints itself", path, key)
			}
		}
	}
	look(reflect.TypeFor[Config](), "")
	if found < 6 {
		t.Errorf("found only %d secrets", found)
	}
}

// secretive are keys that sound like a secret.
var secretive = regexp.MustCompile(`^(.*_)?(secret|password|token|headers)$`)
