package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/chatshipper/gateway/bench/internal/exact"
)

// target is where requests go, and how they are told apart.
type target struct {
	url     string
	name    string // of the header
	value   string // of the header, with {key} in it
	refused []int  // statuses of a refusal
	client  *http.Client
}

// newTarget reads a header template such as "Authorization: Bearer {key}".
func newTarget(url, header string, refused []int, connections int) (*target, error) {
	name, value, found := strings.Cut(header, ":")
	if !found || !strings.Contains(value, "{key}") {
		return nil, fmt.Errorf(`cannot use the header %q: expected one such as "Authorization: Bearer {key}"`, header)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}
	return &target{
		url: url, name: strings.TrimSpace(name), value: strings.TrimSpace(value), refused: refused,
		client: &http.Client{Transport: transport, Timeout: 10 * time.Second},
	}, nil
}

// send is an exact.Send.
func (t *target) send(key string) (bool, error) {
	req, err := http.NewRequest(http.MethodGet, t.url, http.NoBody)
	if err != nil {
		return false, fmt.Errorf("cannot make a request: %w", err)
	}
	req.Header.Set(t.name, strings.ReplaceAll(t.value, "{key}", key))
	res, err := t.client.Do(req)
	if err != nil {
		return false, fmt.Errorf("cannot ask: %w", err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return false, fmt.Errorf("cannot read an answer: %w", err)
	}
	switch {
	case slices.Contains(t.refused, res.StatusCode):
		return true, nil
	case res.StatusCode < 400:
		return false, nil
	}
	return false, fmt.Errorf("the answer is %s, neither a refusal (%v) nor a success", res.Status, t.refused)
}

var _ exact.Send = (*target)(nil).send
