// Command soak holds the gateway at half of the load that it can take, and tells what
// it holds in memory all the while: requests and messages at once, each message with
// a text of its own, 16 to a conversation. The tables of the message limits have room
// for two minutes of that, and give up what is oldest from then on.
//
//	go -C bench run ./soak -minutes 60
//
// It fails when the gateway ends with a tenth more than it had after five minutes, or
// when a request fails.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/chatshipper/gateway/bench/internal/load"
	"github.com/chatshipper/gateway/bench/internal/scene"
)

const (
	connections = 128 // for each kind of request
	settled     = 5   // minutes after which memory must not grow
	tolerance   = 1.1

	tables = "store: {memory: {max_bytes: 64MiB}}\n"
)

var kinds = [...]string{load.Get, load.Message}

func main() {
	scene.ServeUpstream()
	minutes := flag.Int("minutes", 60, "how long")
	flag.Parse()
	if err := run(*minutes, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(minutes int, out io.Writer) error {
	if minutes <= settled {
		return fmt.Errorf("%d minutes tell nothing: memory settles for %d", minutes, settled)
	}
	s, err := scene.Start(tables)
	if err != nil {
		return err
	}
	defer s.Stop()
	full, err := send(s, 10, 0)
	if err != nil {
		return err
	}
	pause := pauseFor(full / 2)
	fmt.Fprintf(out, "it takes %.0f requests a second; held at half of that by %d connections with a pause of %d ms\n", full, len(kinds)*connections, pause)
	fmt.Fprintln(out, "minute  requests/s  processor  memory MB  heap MB  goroutines  keys  conversations")
	ended := make(chan error, 1)
	go func() {
		_, err := send(s, 60*minutes, pause)
		ended <- err
	}()
	var then, now int64
	w := watch{scene: s}
	for minute := 0; minute <= minutes; minute++ {
		if now, err = w.look(minute, out); err != nil {
			return err
		}
		if minute == settled {
			then = now
		}
		if minute < minutes {
			time.Sleep(time.Minute)
		}
	}
	if err := <-ended; err != nil {
		return err
	}
	ratio := float64(now) / float64(then)
	fmt.Fprintf(out, "after %d minutes %.3f of the memory after %d\n", minutes, ratio, settled)
	if ratio > tolerance {
		return fmt.Errorf("memory grew")
	}
	return nil
}

// pauseFor is the pause with which all connections together send so many requests a
// second, in ms.
func pauseFor(perSecond float64) int {
	return max(1, int(1000*float64(len(kinds)*connections)/perSecond+0.5))
}

// send sends both kinds of requests for some seconds, and tells how many there were in
// one. Those that fail or are refused are an error.
func send(s *scene.Scene, seconds, pause int) (perSecond float64, err error) {
	type outcome struct {
		load.Result
		err error
	}
	outcomes := make(chan outcome, len(kinds))
	for _, kind := range kinds {
		go func() {
			r, err := s.Load.RunPaced(kind, "http://"+s.Public, connections, seconds, pause)
			outcomes <- outcome{r, err}
		}()
	}
	for range kinds {
		o := <-outcomes
		if o.err == nil && (o.Requests == 0 || o.Broken() > 0 || o.Status > 0) {
			o.err = fmt.Errorf("of %d requests %d broke and %d were refused", o.Requests, o.Broken(), o.Status)
		}
		if o.err != nil {
			err = o.err
			continue
		}
		perSecond += o.PerSecond()
	}
	return perSecond, err
}

// watch looks at the gateway once a minute.
type watch struct {
	scene    *scene.Scene
	at       time.Time
	cpu      time.Duration
	requests float64
}

// look prints a line, and returns what the gateway holds in memory.
func (w *watch) look(minute int, out io.Writer) (memory int64, err error) {
	m, err := metrics("http://" + w.scene.Admin + "/metrics")
	if err != nil {
		return 0, err
	}
	cpu, err := w.scene.Gateway.CPU()
	if err != nil {
		return 0, err
	}
	if memory, err = w.scene.Gateway.Memory(); err != nil {
		return 0, err
	}
	now, requests := time.Now(), m["gateway_requests_total"]
	passed := now.Sub(w.at)
	if w.at.IsZero() {
		fmt.Fprintf(out, "%6d %11s %9s ", minute, "", "")
	} else {
		fmt.Fprintf(out, "%6d %11.0f %8.0f%% ", minute, (requests-w.requests)/passed.Seconds(), 100*(cpu-w.cpu).Seconds()/passed.Seconds())
	}
	fmt.Fprintf(out, "%10.1f %8.1f %11.0f %5.0f %14.0f\n", float64(memory)/1e6, m["go_memstats_heap_inuse_bytes"]/1e6, m["go_goroutines"],
		m[`gateway_store_entries{rule="per_key"}`], m[`gateway_store_entries{rule="consecutive"}`])
	w.at, w.cpu, w.requests = now, cpu, requests
	return memory, nil
}

// metrics reads a page of metrics: each series by its name and labels, and the sum of
// its series by each name.
func metrics(url string) (map[string]float64, error) {
	answer, err := http.Get(url)
	if err != nil {
		return nil, fmt.Errorf("cannot read the metrics: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	return parse(answer.Body)
}

func parse(page io.Reader) (map[string]float64, error) {
	found := map[string]float64{}
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		series, value, ok := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			continue // a comment, or a label with a space, which no series that is asked for has
		}
		name, _, labels := strings.Cut(series, "{")
		found[name] += n
		if labels {
			found[series] = n
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the metrics: %w", err)
	}
	return found, nil
}
