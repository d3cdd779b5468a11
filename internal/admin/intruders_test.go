package admin

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Somebody who guesses the token is seen, and can't fill the log.
func TestWrongTokensLeaveALineNowAndThen(t *testing.T) {
	file := tokenFile(t, token)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := deps()
		d.Audit = slog.New(slog.NewJSONHandler(&log, nil))
		s := server(t, Config{Address: "0.0.0.0:9900", TokenFile: file}, d)
		attempt := func(times int, headers ...string) {
			for range times {
				get(s, "GET", "/admin/v1/seen", "gateway.internal:9900", headers...)
			}
		}
		want := func(line string) {
			t.Helper()
			if got := log.String(); line == "" && got != "" || !strings.Contains(got, line) || strings.Count(got, "\n") > 1 || strings.Contains(got, "wrong") || strings.Contains(got, "192.0.2.1") {
				t.Errorf("got %q, want %q", got, line)
			}
			log.Reset()
		}
		attempt(3)
		want("")
		attempt(3, "Authorization: Bearer "+token)
		want("")
		attempt(1, "Authorization: Bearer wrong")
		want(`"msg":"audit","action":"access","result":"refused","token":true,"peer":"other","attempts":1}`)
		attempt(1000, "Authorization: Bearer wrong")
		want("")
		time.Sleep(quiet)
		attempt(1, "Authorization: Bearer wrong")
		want(`"attempts":1001}`)
	})
}
