package trace

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	otlpcollector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// taken is what a collector that always answers alike was sent.
type taken struct {
	mu      sync.Mutex
	answer  answer
	hang    bool
	batches []int
	times   []time.Time
	log     bytes.Buffer
}

func (k *taken) send(ctx context.Context, request []byte) answer {
	var r otlpcollector.ExportTraceServiceRequest
	if err := proto.Unmarshal(request, &r); err != nil {
		panic(err)
	}
	k.batches = append(k.batches, len(r.ResourceSpans[0].ScopeSpans[0].Spans))
	k.times = append(k.times, time.Now())
	if k.hang {
		<-ctx.Done()
		return answer{err: ctx.Err(), again: true}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.answer
}

func (k *taken) becomes(a answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = a
}

// exporting runs an exporter to a collector in a bubble of its own time.
func exporting(t *testing.T, k *taken, f func(t *testing.T, tr *Tracer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		tr := &Tracer{exporter: newExporter(k.send, nil, slog.New(slog.NewTextHandler(&k.log, nil)))}
		go tr.exporter.run()
		f(t, tr)
		tr.Close(t.Context())
	})
}

func (t *Tracer) end(spans int) {
	for range spans {
		t.End(&Span{TraceID: NewTraceID(), ID: NewSpanID(), Kind: Server, Name: "GET"})
	}
}

func wantCounts(t *testing.T, tr *Tracer, exported, full, refused, unreachable uint64) {
	t.Helper()
	got := [...]uint64{tr.Exported(), tr.Dropped(QueueFull), tr.Dropped(Refused), tr.Dropped(Unreachable)}
	if want := [...]uint64{exported, full, refused, unreachable}; got != want {
		t.Errorf("exported and dropped (full, refused, unreachable) are %v, want %v", got, want)
	}
}

func TestSpansAreSentTogether(t *testing.T) {
	k := new(taken)
	exporting(t, k, func(t *testing.T, tr *Tracer) {
		tr.end(3)
		time.Sleep(batchWait + time.Millisecond)
		synctest.Wait()
		tr.end(batchLen + 1)
		synctest.Wait()
		wantCounts(t, tr, 3+batchLen, 0, 0, 0) // a full batch waits for nothing
		time.Sleep(batchWait)
		synctest.Wait()
		wantCounts(t, tr, 3+batchLen+1, 0, 0, 0)
	})
	if len(k.batches) != 3 {
		t.Errorf("the batches were %v", k.batches)
	}
}

func TestAFullQueueIsCountedAndHoldsNobodyUp(t *testing.T) {
	k := &taken{hang: true}
	exporting(t, k, func(t *testing.T, tr *Tracer) {
		began := time.Now()
		tr.end(batchLen)
		synctest.Wait() // the first batch hangs at the collector
		tr.end(queueLen + 7)
		if took := time.Since(began); took != 0 {
			t.Errorf("ending spans took %v", took)
		}
		wantCounts(t, tr, 0, 7, 0, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		tr.Close(ctx)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("closing took %v with a collector that hangs", took)
		}
		tr.end(1) // afterwards
		wantCounts(t, tr, 0, 8, 0, batchLen+queueLen)
	})
}

func TestABusyCollectorIsAskedAgain(t *testing.T) {
	k := &taken{answer: answer{err: errors.New("the collector answered 503"), again: true}}
	exporting(t, k, func(t *testing.T, tr *Tracer) {
		tr.end(2)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		k.becomes(answer{})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantCounts(t, tr, 2, 0, 0, 0)
	})
	if len(k.times) < 3 || len(k.times) > 5 {
		t.Fatalf("it was asked %d times", len(k.times))
	}
	for i, pause := range []time.Duration{firstBackoff, 2 * firstBackoff} {
		if got := k.times[i+1].Sub(k.times[i]); got < pause*3/4 || got > pause*5/4 {
			t.Errorf("pause %d is %v, want about %v", i+1, got, pause)
		}
	}
	if log := k.log.String(); strings.Count(log, "\n") != 2 || !strings.Contains(log, "answered 503") || !strings.Contains(log, "exported again") {
		t.Errorf("the log says %q, want one line when it fails and one when it works again", log)
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	k := &taken{answer: answer{err: errors.New("429"), again: true, after: 17 * time.Second}}
	exporting(t, k, func(t *testing.T, tr *Tracer) {
		tr.end(1)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		wantCounts(t, tr, 0, 0, 0, 1)
	})
	if len(k.times) != 4 || k.times[1].Sub(k.times[0]) != 17*time.Second {
		t.Errorf("it was asked at %v, want four times, 17 s apart, within a minute", k.times)
	}
}

func TestWhatTheCollectorDoesNotWantIsNotSentAgain(t *testing.T) {
	k := &taken{answer: answer{err: errors.New("400")}}
	exporting(t, k, func(t *testing.T, tr *Tracer) {
		tr.end(2)
		time.Sleep(time.Minute)
		synctest.Wait()
		wantCounts(t, tr, 0, 0, 2, 0)
		k.becomes(answer{rejected: 1}) // a partial success
		tr.end(3)
		time.Sleep(time.Minute)
		synctest.Wait()
		wantCounts(t, tr, 2, 0, 3, 0)
	})
	if len(k.times) != 2 {
		t.Errorf("it was asked %d times, want 2", len(k.times))
	}
}

func TestADrainSendsWhatWaits(t *testing.T) {
	k := new(taken)
	exporting(t, k, func(t *testing.T, tr *Tracer) {
		tr.end(2*batchLen + 5)
		began := time.Now()
		tr.Close(t.Context())
		if took := time.Since(began); took != 0 {
			t.Errorf("closing took %v", took)
		}
		wantCounts(t, tr, 2*batchLen+5, 0, 0, 0)
	})
}

func TestADrainWaitsForNoBusyCollector(t *testing.T) {
	k := &taken{answer: answer{err: errors.New("503"), again: true, after: 30 * time.Second}}
	exporting(t, k, func(t *testing.T, tr *Tracer) {
		tr.end(1)
		time.Sleep(2 * batchWait)
		tr.end(1)
		began := time.Now()
		tr.Close(t.Context())
		if took := time.Since(began); took != 0 {
			t.Errorf("closing took %v", took)
		}
		wantCounts(t, tr, 0, 0, 0, 2)
	})
}
