package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// checkKey is what a check pretends to count. It never exists.
const checkKey = "gw{check}"

// Check finds out whether a server can keep the counts: that it is there, lets
// the gateway in, runs its scripts, and answers soon enough. It counts nothing.
// Errors never show the password.
func Check(ctx context.Context, cfg Config) error {
	option, err := clientOption(cfg)
	if err != nil {
		return err
	}
	c, err := rueidis.NewClient(option)
	if err != nil {
		return fmt.Errorf("cannot connect: %w", diagnose(ctx, cfg, err))
	}
	defer c.Close()
	var took time.Duration
	for range 2 { // the first call also brings the script
		began := time.Now()
		if _, err := probeScript.Exec(ctx, c, []string{checkKey}, nil).AsInt64(); err != nil {
			return fmt.Errorf("cannot run a script: %w", err)
		}
		took = time.Since(began)
	}
	if took > cfg.Timeout {
		return fmt.Errorf("a script took %v, and store.redis.timeout is %v", took.Round(time.Microsecond), cfg.Timeout)
	}
	return nil
}

var (
	errWantsPassword = errors.New("the server wants a password: set store.redis.password")
	errSpeaksTLS     = errors.New("the server speaks TLS: set store.redis.tls.enabled")
	errSpeaksPlain   = errors.New("the server speaks no TLS: unset store.redis.tls.enabled, or use its TLS port")
)

// diagnose says in words what the client's error leaves open: who speaks plain
// text to a TLS port learns of a reset or of silence only.
func diagnose(ctx context.Context, cfg Config, err error) error {
	if strings.HasPrefix(err.Error(), "NOAUTH ") {
		return errWantsPassword
	}
	if _, answered := rueidis.IsRedisErr(err); answered {
		return err
	}
	for _, address := range cfg.Addresses {
		switch {
		case cfg.TLS.Enabled && speaksPlain(ctx, address):
			return errSpeaksPlain
		case !cfg.TLS.Enabled && speaksTLS(ctx, address):
			return errSpeaksTLS
		}
	}
	return err
}

// speaksTLS reports whether a server shakes hands, whoever it is.
func speaksTLS(ctx context.Context, address string) bool {
	met := false
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, // nothing is said to it
		VerifyConnection: func(tls.ConnectionState) error { met = true; return nil },
	}}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if conn, err := d.DialContext(ctx, "tcp", address); err == nil {
		_ = conn.Close()
	}
	return met
}

// speaksPlain reports whether a server answers in the protocol of Redis.
func speaksPlain(ctx context.Context, address string) bool {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // nothing is kept
	_ = conn.SetDeadline(time.Now().Add(dialTimeout))
	var answer [1]byte
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	_, err = conn.Read(answer[:])
	return err == nil && (answer[0] == '+' || answer[0] == '-')
}
