package proxy

import (
	"strings"
	"testing"
	"time"
)

// mistakes collects what a Validate method reports, one "path: problem" a line.
func mistakes(validate func(report func(path, problem string))) string {
	var lines []string
	validate(func(path, problem string) { lines = append(lines, path+": "+problem) })
	return strings.Join(lines, "\n")
}

func TestDefaultsAreValid(t *testing.T) {
	listen, methods, webhook, errors := DefaultListen(), DefaultMethods(), DefaultWebhook(), DefaultErrors()
	for name, validate := range map[string]func(func(path, problem string)){
		"listen": listen.Validate, "methods": methods.Validate, "webhook": webhook.Validate, "errors": errors.Validate,
	} {
		if got := mistakes(validate); got != "" {
			t.Errorf("%s: unexpected mistakes:\n%s", name, got)
		}
	}
}

func TestListenValidate(t *testing.T) {
	f := func(change func(*Listen), want string) {
		t.Helper()
		l := DefaultListen()
		change(&l)
		if got := mistakes(l.Validate); got != want {
			t.Errorf("unexpected mistakes:\n got %s\nwant %s", got, want)
		}
	}

	// Success
	f(func(l *Listen) { l.Address = "[::1]:0" }, "")
	f(func(l *Listen) { l.Address = "localhost:8080" }, "")
	f(func(l *Listen) { l.TrustedProxies = []string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"} }, "")
	f(func(l *Listen) { l.ShutdownDelay, l.DrainTimeout = 0, 0 }, "")
	f(func(l *Listen) { l.TLS = ListenTLS{"cert.pem", "key.pem"} }, "")

	// Failure
	f(func(l *Listen) { l.Address = "8080" },
		`address: expected an address such as ":8080" or "127.0.0.1:8080", got "8080"`)
	f(func(l *Listen) { l.Address = ":http" }, `address: expected a port from 0 to 65535, got "http"`)
	f(func(l *Listen) { l.Address = ":65536" }, `address: expected a port from 0 to 65535, got "65536"`)
	f(func(l *Listen) { l.Address = "http://a:80" },
		`address: expected an address such as ":8080" or "127.0.0.1:8080", got "http://a:80"`)
	f(func(l *Listen) { l.Address = "a b:80" },
		`address: expected a host name or an IP address before the port, got "a b"`)
	f(func(l *Listen) { l.TrustedProxies = []string{"10.0.0.0/8", "proxy", "10.0.0.0/33"} },
		`trusted_proxies[1]: expected a network such as 10.0.0.0/8, or an address, got "proxy"`+"\n"+
			`trusted_proxies[2]: expected a network such as 10.0.0.0/8, or an address, got "10.0.0.0/33"`)
	f(func(l *Listen) { l.TrustedProxies = []string{"10.1.2.3/8"} },
		`trusted_proxies[0]: "10.1.2.3/8" has bits set after the prefix; did you mean "10.0.0.0/8"?`)
	f(func(l *Listen) { l.TrustedProxies = []string{"::ffff:10.0.0.0/104"} },
		`trusted_proxies[0]: expected a network such as 10.0.0.0/8, or an address in its IPv4 form, got "::ffff:10.0.0.0/104"`)
	f(func(l *Listen) { l.MaxBodyBytes = 0 }, "max_body_bytes: must be at least 1KiB, got 0")
	f(func(l *Listen) { l.MaxHeaderBytes = 1 }, "max_header_bytes: must be at least 1KiB, got 1")
	f(func(l *Listen) { l.MaxHeaderBytes = 2 << 20 },
		"max_header_bytes: must be at most 1MiB, because every connection holds a buffer of this size, got 2MiB")
	f(func(l *Listen) { l.MaxConnections = -1 }, "max_connections: must be at least 0 (0 means no limit), got -1")
	f(func(l *Listen) { l.ReadTimeout = time.Second },
		"read_timeout: must be at least listen.read_header_timeout (10s), because it covers header and body together, got 1s")
	f(func(l *Listen) { l.ReadHeaderTimeout, l.ReadTimeout, l.IdleTimeout = 0, 0, -time.Second },
		"read_header_timeout: must be greater than 0, got 0s\n"+
			"read_timeout: must be greater than 0, got 0s\n"+
			"idle_timeout: must be greater than 0, got -1s")
	f(func(l *Listen) { l.ShutdownDelay, l.DrainTimeout = -1, -1 },
		"shutdown_delay: must be at least 0s, got -1ns\ndrain_timeout: must be at least 0s, got -1ns")
	f(func(l *Listen) { l.TLS.CertFile = "cert.pem" }, "tls.key_file: must be set too when listen.tls.cert_file is")
	f(func(l *Listen) { l.TLS.KeyFile = "key.pem" }, "tls.cert_file: must be set too when listen.tls.key_file is")
}

func TestMethodsValidate(t *testing.T) {
	allow := func(names ...string) Methods { return Methods{Allow: names} }
	except := func(method, path string) Methods {
		return Methods{Allow: []string{"GET"}, Exceptions: []MethodException{{method, path}}}
	}
	f := func(m Methods, want string) {
		t.Helper()
		if got := mistakes(m.Validate); got != want {
			t.Errorf("unexpected mistakes:\n got %s\nwant %s", got, want)
		}
	}

	// Success
	f(allow("GET", "M-SEARCH"), "")
	f(except("PUT", "/v2/messages/{id}"), "")
	f(except("PUT", "/"), "")

	// Failure
	f(allow(), "allow: must name at least one method")
	f(allow("GET", "get"), `allow[1]: methods are written in upper case, got "get"; did you mean "GET"?`)
	f(allow("GET", "GET"), `allow[1]: GET is listed twice`)
	f(allow("GET POST"), `allow[0]: expected the name of a method, got "GET POST"`)
	f(allow("CONNECT"), `allow[0]: CONNECT can't be allowed: the gateway builds no tunnels`)
	f(except("", "/v2/messages/{id}"), `exceptions[0].method: must name a method such as PUT`)
	f(except("PUT", "v2/messages"), `exceptions[0].path: must start with /, got "v2/messages"`)
	f(except("PUT", "/v2/x{id}"), `exceptions[0].path: expected a path such as /v2/messages/{id}, in which {id} stands for one whole segment, got "/v2/x{id}"`)
	f(except("PUT", "/v2/{}"), `exceptions[0].path: expected a path such as /v2/messages/{id}, in which {id} stands for one whole segment, got "/v2/{}"`)
}

func TestWebhookValidate(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		w := Webhook{Path: path}
		if got := mistakes(w.Validate); got != want {
			t.Errorf("unexpected mistakes:\n got %s\nwant %s", got, want)
		}
	}

	// Success
	f("/_gateway/webhook", "")
	f("/hooks/chatshipper%20", "")

	// Failure
	f("", `path: must start with /, got ""`)
	f("hook", `path: must start with /, got "hook"`)
	f("/", "path: must be more than /, which belongs to the API")
	f("/hook?x=1", `path: must be a plain path without query, fragment, braces or spaces, got "/hook?x=1"`)
}

func TestErrorsValidate(t *testing.T) {
	f := func(e Errors, want string) {
		t.Helper()
		if got := mistakes(e.Validate); got != want {
			t.Errorf("unexpected mistakes:\n got %s\nwant %s", got, want)
		}
	}

	// Success
	f(Errors{MaxBodyBytes: 1 << 10, TimeoutStatus: 504}, "")

	// Failure
	f(Errors{MaxBodyBytes: 1, TimeoutStatus: 502},
		"max_body_bytes: must be at least 1KiB, got 1\ntimeout_status: must be 503 or 504, got 502")
}
