package proxy

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
	"unsafe"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/limiter"
)

// full is set by scripts/reliability.sh; these tests are quick enough without it.
var _ = flag.Bool("full", false, "for scripts/reliability.sh")

// startedBefore is a clock of a process that started at start, after which the
// system's clock was stepped by a time: the wall time that start shows is the one
// before the step, the monotonic time in it is as true as ever.
func startedBefore(step time.Duration, start time.Time) clock {
	inside := (*struct { // time.Time, as it is while it has a monotonic time
		wall uint64 // 1 bit, 33 bits of seconds, 30 bits of nanoseconds
		mono int64
		loc  *time.Location
	})(unsafe.Pointer(&start))
	inside.wall -= uint64(step/time.Second) << 30
	return clock{start: start, base: start.UnixNano()}
}

func TestStartedBeforeAStep(t *testing.T) {
	now := time.Now()
	c := startedBefore(time.Hour, now)
	if d := now.Round(0).Sub(c.start.Round(0)); d != time.Hour {
		t.Errorf("the wall time was stepped by %v, want an hour", d)
	}
	if d := now.Sub(c.start); d != 0 {
		t.Errorf("the monotonic time was stepped by %v", d)
	}
}

// A key has used up its hour; then the system's clock is stepped, by seconds or
// by months, forward or back. It must stay refused, and for no longer than its
// hour.
func TestFaultClockSteps(t *testing.T) {
	const steps = 100
	rng := rand.New(rand.NewPCG(1, 2))
	hour := limiter.Limit{Requests: 20, Window: time.Hour}
	memory := limiter.NewMemory(8 << 20)
	free, locked := 0, 0
	for i := range steps {
		step := [...]time.Duration{
			time.Second, time.Hour, time.Duration(rng.Int64N(int64(100 * 24 * time.Hour))),
		}[i%3]
		if i%2 == 1 {
			step = -step
		}
		c := startedBefore(step, time.Now())
		key := limiter.Hit{ID: digest.ID{Hi: 1, Lo: uint64(i)}, Limit: hour}
		for range hour.Requests {
			memory.Take(c.base, limiter.Hit{}, key)
		}
		d := memory.Take(c.now(), limiter.Hit{}, key)
		if d.Admitted {
			free++
			t.Errorf("a step of %v opened a free window", step)
		}
		after := d.States[limiter.PerKey].Wait
		if after > hour.Window || !d.Admitted && !memory.Peek(d.At+int64(after), limiter.Hit{}, key).Admitted {
			locked++
			t.Errorf("a step of %v locks out for %v", step, after)
		}
	}
	t.Logf("figure: process clock and limiter, %d steps of the wall clock of up to 100 days: %d free windows, %d lock-outs longer than a window", steps, free, locked)
}

// What others wrote down by the wall clock, such as the time of a webhook's event,
// is understood by the wall clock of this moment.
func TestWallTimesAreReadByTheClockOfTheMoment(t *testing.T) {
	for _, step := range []time.Duration{0, time.Hour, -time.Hour} {
		c := startedBefore(step, time.Now())
		if d := time.Duration(c.now() - c.fromWall(time.Now())); d.Abs() > time.Minute {
			t.Errorf("after a step of %v an event of this moment is %v old", step, d)
		}
	}
}

// A token expires, and an answer is dated, by the wall clock.
func TestAStepOfTheWallClockIsFoundOutWithinASecond(t *testing.T) {
	for _, step := range []time.Duration{0, time.Hour, -time.Hour} {
		c := startedBefore(step, time.Now())
		d := date{}
		d.latest.Store(&second{at: c.now()/1e9 - 1}) // of before the step
		s := d.second(c.now(), &c)
		wall := time.Now()
		if off := wall.Sub(time.Unix(0, c.now()+s.ahead)); off.Abs() > time.Second {
			t.Errorf("after a step of %v the wall clock is %v off", step, off)
		}
		text, err := http.ParseTime(string(d.at(c.now(), &c)))
		if err != nil || wall.Sub(text).Abs() > 2*time.Second {
			t.Errorf("after a step of %v an answer is dated %v, %v", step, text, err)
		}
	}
}
