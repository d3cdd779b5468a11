package admin

import (
	"strings"
	"testing"
)

func TestConfigValidate(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		var got []string
		c.Validate(func(path, problem string) { got = append(got, path+": "+problem) })
		if got := strings.Join(got, "\n"); got != want {
			t.Errorf("unexpected mistakes:\n got %s\nwant %s", got, want)
		}
	}

	// Success
	f(DefaultConfig(), "")
	f(Config{Address: "[::1]:0"}, "")
	f(Config{Address: "[::ffff:127.0.0.1]:9900"}, "")
	f(Config{Address: "localhost:9900"}, "")
	f(Config{Address: "0.0.0.0:9900", TokenFile: "/run/secrets/admin"}, "")

	// Failure
	f(Config{Address: "9900"}, `address: expected an address such as "127.0.0.1:9900", got "9900"`)
	f(Config{Address: "127.0.0.1:http"}, `address: expected a port from 0 to 65535, got "http"`)
	f(Config{Address: ":9900"}, `token_file: must be set, because admin.address ":9900" is not a loopback address`)
	f(Config{Address: "gateway.internal:9900"},
		`token_file: must be set, because admin.address "gateway.internal:9900" is not a loopback address`)
}
