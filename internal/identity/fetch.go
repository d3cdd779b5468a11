package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const (
	maxKeySet    = 1 << 20 // bytes
	maxRedirects = 3
)

// fetchFrom returns a function that gets the key set at a URL.
func fetchFrom(url string) func(context.Context) ([]byte, error) {
	client := &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DisableKeepAlives:      true, // one fetch in many minutes
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: checkRedirect,
	}
	return func(ctx context.Context) ([]byte, error) {
		text, err := get(ctx, client, url)
		if err != nil {
			return nil, fmt.Errorf("cannot fetch the key set: %w", err)
		}
		return text, nil
	}
}

// checkRedirect never goes from https to http, where anyone on the way could
// put in a key.
func checkRedirect(to *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || (via[0].URL.Scheme == "https" && to.URL.Scheme != "https") {
		return errors.New("the redirect is not followed")
	}
	return nil
}

func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%q answered with status %d", url, answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeySet {
		return nil, fmt.Errorf("%q answered with more than %d bytes", url, maxKeySet)
	}
	return text, nil
}
