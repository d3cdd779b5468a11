package trace

import (
	"math"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ratio(r float64) *Tracer {
	t := new(Tracer)
	t.SetRatio(r)
	return t
}

func TestSamplingGoesByTheTraceAlone(t *testing.T) {
	const many = 100_000
	tracer, twin := ratio(0.1), ratio(0.1)
	sampled := 0
	for range many {
		n := NumberOf(NewTraceID())
		yes := tracer.Samples(n)
		if yes != twin.Samples(n) || yes != tracer.Samples(n) {
			t.Fatalf("%x is not always decided alike", n)
		}
		if yes {
			sampled++
		}
		if yes && !ratio(0.2).Samples(n) {
			t.Fatalf("%x is sampled at 0.1 and not at 0.2: a service that samples more must have all that one has that samples less", n)
		}
	}
	// Five standard deviations of a binomial distribution.
	if want, most := 0.1*many, 5*math.Sqrt(many*0.1*0.9); math.Abs(float64(sampled)-want) > most {
		t.Errorf("%d of %d are sampled, want %v ± %.0f", sampled, many, want, most)
	}
}

func TestAllAndNone(t *testing.T) {
	for _, n := range []uint64{0, 1, 1 << 62, 1 << 63, math.MaxUint64 - 1, math.MaxUint64} {
		if ratio(0).Samples(n) {
			t.Errorf("%x is sampled at 0", n)
		}
		if n < math.MaxUint64-1 && !ratio(1).Samples(n) {
			t.Errorf("%x is not sampled at 1", n)
		}
	}
}

// The published vectors of TraceIDRatioBased: the last 63 bits of the first half
// of the id's second half decide, so both sides of the bound are known.
func TestTheBoundIsOpenTelemetrys(t *testing.T) {
	f := func(last [8]byte, want bool) {
		t.Helper()
		var id [16]byte
		copy(id[8:], last[:])
		if got := ratio(0.5).Samples(NumberOf(id)); got != want {
			t.Errorf("%x: got %v, want %v", last, got, want)
		}
	}
	f([8]byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd}, true)
	f([8]byte{0x80, 0, 0, 0, 0, 0, 0, 0}, false)
	f([8]byte{}, true)
}

func TestATracerThatIsOffDoesNothing(t *testing.T) {
	tracer, err := New(DefaultConfig(), Deps{})
	if tracer != nil || err != nil {
		t.Fatalf("got %v, %v", tracer, err)
	}
	tracer.SetRatio(1)
	tracer.Close(t.Context())
	if tracer.Exported() != 0 || tracer.Dropped(QueueFull) != 0 {
		t.Error("it counts")
	}
}

func TestIDsAreNeverZeroAndCostNothing(t *testing.T) {
	seen := map[[16]byte]bool{}
	for range 1000 {
		id := NewTraceID()
		if id == [16]byte{} || seen[id] || NewSpanID() == [8]byte{} {
			t.Fatalf("%x is zero or comes twice", id)
		}
		seen[id] = true
	}
	tracer := ratio(0.5)
	if n := testing.AllocsPerRun(100, func() { tracer.Samples(NumberOf(NewTraceID())); NewSpanID() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
