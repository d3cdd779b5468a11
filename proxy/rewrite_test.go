package proxy

import "testing"

func TestReferencesToTheUpstreamMoveToTheClientsOrigin(t *testing.T) {
	o := origins{upstream: [][]byte{[]byte("api.example.com"), []byte("10.0.0.1:8080")}, scheme: []byte("https"), authority: []byte("edge.example:8443")}
	link := func(in, want string) {
		t.Helper()
		if got := string(o.rewrite(nil, []byte(in), true)); got != want {
			t.Errorf("Link %s: got %s, want %s", in, got, want)
		}
	}
	location := func(in, want string) {
		t.Helper()
		if got := string(o.rewrite(nil, []byte(in), false)); got != want {
			t.Errorf("Location %s: got %s, want %s", in, got, want)
		}
	}
	link(`<https://api.example.com/v2/x?a=%2C;b>; rel="next"`, `<https://edge.example:8443/v2/x?a=%2C;b>; rel="next"`)
	link(`<http://API.example.com:80/a>; rel="next", <https://api.example.com:443/b>; rel="last"`,
		`<https://edge.example:8443/a>; rel="next", <https://edge.example:8443/b>; rel="last"`)
	link(`<https://api.example.com.evil/a>; rel="next"`, `<https://api.example.com.evil/a>; rel="next"`)
	link(`<https://other.example/a>; rel="next"`, `<https://other.example/a>; rel="next"`)
	link(`</v2/x>; rel="next"`, `</v2/x>; rel="next"`)
	link(`<https://api.example.com>; rel="home"`, `<https://edge.example:8443>; rel="home"`)
	location("https://api.example.com/v2/x", "https://edge.example:8443/v2/x")
	location("//api.example.com/v2/x", "https://edge.example:8443/v2/x")
	location("/v2/x", "/v2/x")
	location("http://10.0.0.1:8080/v2/x", "https://edge.example:8443/v2/x")
	location("http://10.0.0.1:80801/v2/x", "http://10.0.0.1:80801/v2/x")
	location("http://10.0.0.1/v2/x", "http://10.0.0.1/v2/x")
	location("https://other.example/?to=https://api.example.com/", "https://other.example/?to=https://api.example.com/")
	location("https://api.example.com:8443/x", "https://api.example.com:8443/x")
}
