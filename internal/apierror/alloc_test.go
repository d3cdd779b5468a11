//go:build !race

package apierror

import (
	"testing"
	"time"
)

func TestARefusalAllocatesNothing(t *testing.T) {
	f := func(name string, run func()) {
		t.Helper()
		if n := testing.AllocsPerRun(1000, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	dst := make([]byte, 0, 4096)
	identical := Identical(8, 8, 3*time.Minute, 171*time.Second, false)
	custom := Error{Code: InvalidRequest, Message: "a \"quoted\" é message"}
	accept := []byte("application/json;q=0.5, application/problem+json;q=1")
	body := []byte(`{"status":404,"message":"Contact not found","error":{"message":"Contact not found"}}`)

	page := []byte("<html><h1>502 Bad Gateway</h1></html>")

	f("AppendJSON", func() { identical.AppendJSON(dst) })
	f("AppendJSON of a given message", func() { custom.AppendJSON(dst) })
	f("AppendProblem", func() { identical.AppendProblem(dst) })
	f("building and AppendJSON", func() {
		e := Consecutive(20, 20, time.Hour, time.Minute, false)
		e.AppendJSON(dst)
	})
	f("WantsProblem", func() { WantsProblem(accept) })
	f("IsJSON", func() { IsJSON([]byte("application/json; charset=utf-8")) })
	f("Normalise of a good body", func() { Normalise(dst, 404, body, 64<<10) })
	f("Normalise of a bad body", func() { Normalise(dst, 502, page, 64<<10) })
}

func BenchmarkAppendJSON(b *testing.B) {
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		e := Identical(8, 8, 3*time.Minute, 171*time.Second, false)
		e.AppendJSON(dst)
	}
}

func BenchmarkNormalise(b *testing.B) {
	dst := make([]byte, 0, 4096)
	for name, body := range map[string]string{
		"good":     `{"status":404,"message":"Contact not found","error":{"message":"Contact not found"}}`,
		"repaired": `{"status":404,"error":{"name":"NotFound"},"detail":"Contact not found"}`,
		"html":     "<html><body><h1>502 Bad Gateway</h1></body></html>",
	} {
		b.Run(name, func(b *testing.B) {
			sent := []byte(body)
			b.ReportAllocs()
			for b.Loop() {
				Normalise(dst, 502, sent, 64<<10)
			}
		})
	}
}
