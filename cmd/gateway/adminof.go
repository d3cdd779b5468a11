package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/chatshipper/gateway/internal/config"
)

// adminOf is a running gateway's admin listener.
type adminOf struct {
	address, tokenFile string
	certFile           string // of the listener's own TLS; empty for plain text
}

func (a adminOf) scheme() string {
	if a.certFile != "" {
		return "https://"
	}
	return "http://"
}

// client trusts the very certificate that the configuration names, whatever
// names it holds: what is sent may be an API key.
func (a adminOf) client() (*http.Client, error) {
	if a.certFile == "" {
		return http.DefaultClient, nil
	}
	chain, err := os.ReadFile(a.certFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read admin.tls.cert_file: %w", err)
	}
	leaf, _ := pem.Decode(chain)
	if leaf == nil {
		return nil, fmt.Errorf("cannot read admin.tls.cert_file: no PEM certificate in %q", a.certFile)
	}
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, // verified below, against one certificate
		VerifyConnection: func(s tls.ConnectionState) error {
			if !bytes.Equal(s.PeerCertificates[0].Raw, leaf.Bytes) {
				return errors.New("the listener shows another certificate than admin.tls.cert_file")
			}
			return nil
		},
	}}}, nil
}

// adminFlags are the flags of every command that asks a running gateway.
type adminFlags struct{ file, address, tokenFile *string }

func addAdminFlags(fs *flag.FlagSet) adminFlags {
	return adminFlags{
		fs.String("config", "", "configuration `FILE` of the running gateway: where its admin listener is, and its token"),
		fs.String("admin", "127.0.0.1:9900", "`ADDR` of the admin listener, without --config"),
		fs.String("token-file", "", "`FILE` with the admin token, without --config"),
	}
}

// where is the listener that the flags name.
func (f adminFlags) where() (adminOf, error) {
	if *f.file == "" {
		return adminOf{address: *f.address, tokenFile: *f.tokenFile}, nil
	}
	cfg, err := config.Load(*f.file, os.LookupEnv)
	if err != nil {
		hint := errors.New("a gateway that runs with an older configuration is reached with --admin ADDR and --token-file FILE")
		return adminOf{}, &failure{exitConfig, errors.Join(err, hint)}
	}
	return adminOf{address: reachable(cfg.Admin.Address), tokenFile: cfg.Admin.TokenFile, certFile: cfg.Admin.TLS.CertFile}, nil
}

// post asks the listener a question and returns the body of a success.
func (a adminOf) post(ctx context.Context, path string, question any) ([]byte, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return nil, fmt.Errorf("cannot write the question: %w", err)
	}
	return a.ask(ctx, http.MethodPost, path, bytes.NewReader(body))
}

// get returns what the listener shows.
func (a adminOf) get(ctx context.Context, path string) ([]byte, error) {
	return a.ask(ctx, http.MethodGet, path, http.NoBody)
}

func (a adminOf) ask(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.scheme()+a.address+path, body)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w", a.address, err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.tokenFile != "" {
		token, err := os.ReadFile(a.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read the admin token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	client, err := a.client()
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the gateway: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer of the gateway: %w", err)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return nil, errors.New("401: the gateway does not know this admin token, or wants one: name its file with --token-file, or its configuration with --config")
	}
	if resp.StatusCode != http.StatusOK {
		var refusal struct{ Message string }
		_ = json.Unmarshal(answer, &refusal) // an answer without a message is told by its status
		return nil, errors.New(strings.TrimSpace(resp.Status + ": " + refusal.Message))
	}
	return answer, nil
}
