package apierror

import (
	"testing"
	"time"
)

// BenchmarkAppendRateLimited: the refusal that is written most, under load.
func BenchmarkAppendRateLimited(b *testing.B) {
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		e := RateLimited(RateLimitedKey, 20, time.Second, 700*time.Millisecond)
		e.AppendJSON(dst)
	}
}

func BenchmarkAppendProblem(b *testing.B) {
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		e := Identical(8, 8, 3*time.Minute, 171*time.Second, false)
		e.AppendProblem(dst)
	}
}

func BenchmarkWantsProblem(b *testing.B) {
	accept := []byte("application/json;q=0.5, application/problem+json;q=1")
	b.ReportAllocs()
	for b.Loop() {
		WantsProblem(accept)
	}
}
