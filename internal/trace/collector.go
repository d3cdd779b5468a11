package trace

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/chatshipper/gateway/internal/certs"
)

// maxAnswer bounds what is read of a collector's answer.
const maxAnswer = 64 << 10

// collector is where spans go.
type collector struct {
	url     string
	headers http.Header
	client  *http.Client
}

// newCollector connects to nothing yet.
func newCollector(cfg Config, version string) (*collector, error) {
	target, err := cfg.url()
	if err != nil {
		return nil, fmt.Errorf("cannot use tracing.otlp_endpoint: %w", err)
	}
	headers, err := parseHeaders(cfg.Headers.Reveal())
	if err != nil {
		return nil, fmt.Errorf("cannot use tracing.headers: %w", err)
	}
	secure, err := cfg.TLS.client()
	if err != nil {
		return nil, err
	}
	headers.Set("Content-Type", "application/x-protobuf")
	headers.Set("User-Agent", "chatshipper-gateway/"+version)
	return &collector{url: target, headers: headers, client: &http.Client{
		Timeout: cfg.Timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: secure, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the headers are for one place only
	}}, nil
}

// client is how the collector is spoken to over TLS.
func (t *TLS) client() (*tls.Config, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CertFile != "" {
		own, err := certs.New(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cannot use tracing.tls: %w", err)
		}
		secure.GetClientCertificate = own.Client
	}
	if t.CAFile == "" {
		return secure, nil
	}
	var err error
	switch secure.RootCAs, err = certs.Authorities(t.CAFile); {
	case errors.Is(err, certs.ErrNoAuthority):
		return nil, fmt.Errorf("cannot use tracing.tls.ca_file: %w", err)
	case err != nil:
		return nil, fmt.Errorf("cannot read tracing.tls.ca_file: %w", err)
	}
	return secure, nil
}

// send posts one ExportTraceServiceRequest.
func (c *collector) send(ctx context.Context, request []byte) answer {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(request))
	if err != nil {
		return answer{err: fmt.Errorf("cannot ask the collector: %w", err)}
	}
	r.Header = c.headers.Clone()
	resp, err := c.client.Do(r)
	if err != nil {
		return answer{err: fmt.Errorf("cannot reach the collector: %w", cause(err)), again: true}
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode/100 != 2:
		return answer{
			err:   fmt.Errorf("the collector answered %d", resp.StatusCode),
			again: isTransient(resp.StatusCode), after: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
		}
	case err != nil:
		return answer{err: fmt.Errorf("cannot read the collector's answer: %w", cause(err)), again: true}
	}
	return answer{rejected: rejected(body)}
}

// cause is an error of the client without the URL that it repeats.
func cause(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// isTransient reports whether OTLP/HTTP allows to send again after a status.
func isTransient(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads seconds or a date; 0 for anything else.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// The fields of an ExportTraceServiceResponse.
const (
	responsePartial = 1
	partialRejected = 1
)

// rejected is how many spans a collector says that it did not take, of a batch
// that it answered with success.
func rejected(body []byte) uint64 {
	partial, _ := find(body, responsePartial)
	_, n := find(partial, partialRejected)
	return n
}

// find returns a field of a message: its bytes, or its number. Bytes that are no
// message have none.
func find(b []byte, field protowire.Number) (data []byte, number uint64) {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, 0
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(num, kind, b)
		switch {
		case size < 0:
			return nil, 0
		case num == field && kind == protowire.BytesType:
			data, _ = protowire.ConsumeBytes(b)
			return data, 0
		case num == field && kind == protowire.VarintType:
			number, _ = protowire.ConsumeVarint(b)
			return nil, number
		}
		b = b[size:]
	}
	return nil, 0
}

// Check asks the collector of a configuration to take nothing, which it does when
// address, TLS and headers are right.
func Check(ctx context.Context, cfg Config, version string) error {
	c, err := newCollector(cfg, version)
	if err != nil {
		return err
	}
	defer c.client.CloseIdleConnections()
	return c.send(ctx, nil).err
}
