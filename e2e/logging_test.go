package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestTheAccessLogIsSampledAndNamesAddressesOnlyWhereWanted(t *testing.T) {
	t.Parallel()
	g := startGateway(t, startStub(t, nil).URL, setup{
		listen: "trusted_proxies: [127.0.0.0/8]",
		rest: "limits: {per_ip: {mode: off}, per_key: {requests: 20, window: 1h}}\n" +
			"log: {format: text, client_ip: true, sample: {one_in: 10, refusals_per_minute: 2}}\n",
	})
	token := mint(botUser, botScope)
	for range 30 {
		g.do(t, call{path: "/v2/users", token: token, header: map[string]string{"X-Forwarded-For": "203.0.113.9"}})
	}
	// 20 were admitted, of which one in 10 gets a line; 10 refused, of which 2 do.
	eventually(t, "the lines are written", func() error {
		logs := g.stdout.String()
		admitted, refused := strings.Count(logs, " status=200 "), strings.Count(logs, " status=429 ")
		if admitted != 2 || refused != 2 {
			return fmt.Errorf("%d and %d lines, want 2 and 2", admitted, refused)
		}
		return nil
	})
	logs := g.stdout.String()
	if strings.Count(logs, " one_in=10\n") != 2 || strings.Count(logs, " client_ip=203.0.113.9 ") != 4 {
		t.Errorf("the lines don't say what they stand for, or whose they are:\n%s", logs)
	}
	if n := g.metrics(t).value(t, "gateway_access_log_skipped_total"); n != 26 {
		t.Errorf("%v requests were skipped, want 26", n)
	}
}
