package apierror

import "testing"

func TestAProblemIsSentOnlyToWhoAsksForItByName(t *testing.T) {
	f := func(accept string, want bool) {
		t.Helper()
		if got := WantsProblem([]byte(accept)); got != want {
			t.Errorf("WantsProblem(%q) = %v", accept, got)
		}
	}
	f("application/problem+json", true)
	f("Application/Problem+JSON", true)
	f("application/problem+json;q=0.001", true)
	f("application/problem+json; charset=utf-8 ; q=1", true)
	f(`application/problem+json;profile="a,b;q=0\";q=0";Q=0.5`, true)
	f("text/html, application/problem+json", true)
	f("application/json, application/problem+json", true)
	f("application/json;q=0.5, application/problem+json", true)
	f("\tapplication/problem+json\t,", true)

	f("", false)
	f("*/*", false)
	f("application/*", false)
	f("application/json", false)
	f("application/problem+xml", false)
	f("application/problem+json2", false)
	f("application/problem+json;q=0", false)
	f("application/problem+json;q=0.000", false)
	f("application/problem+json;q=", false)
	f("application/problem+json;q=2", false)
	f("application/problem+json;q=1.1", false)
	f("application/problem+json;q=0.1234", false)
	f("application/problem+json;q=0,5", false)
	f("application/problem+json;q=0.x", false)
	f("application/problem+json;q=-1", false)
	f("application/json, application/problem+json;q=0.9", false)
	f(`text/html;a="application/problem+json`, false)
	f(`text/html;a=",application/problem+json"`, false)
}

func TestWhatAContentTypeMustSayToStay(t *testing.T) {
	f := func(contentType string, want bool) {
		t.Helper()
		if got := IsJSON([]byte(contentType)); got != want {
			t.Errorf("IsJSON(%q) = %v", contentType, got)
		}
	}
	f("application/json", true)
	f("Application/JSON; Charset=UTF-8", true)
	f(`application/json;charset="utf-8"`, true)
	f("application/json; version=1", true)
	f("", false)
	f("text/html", false)
	f("application/problem+json", false)
	f("application/json; charset=iso-8859-1", false)
	f("application/json; charset=utf-16", false)
	f("application/jsonp", false)
}

func FuzzWantsProblem(f *testing.F) {
	f.Add([]byte(`application/problem+json;profile="a\";q=0`))
	f.Fuzz(func(_ *testing.T, accept []byte) {
		WantsProblem(accept)
		IsJSON(accept)
	})
}
