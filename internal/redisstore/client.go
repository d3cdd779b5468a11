package redisstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/chatshipper/gateway/internal/certs"
)

const (
	dialTimeout = time.Second
	// idleCheck is how long a connection may be silent before it is asked for a
	// sign of life, and writeTimeout how long it may take to give one.
	idleCheck    = time.Second
	writeTimeout = 2 * time.Second
	// connBuffer is the size of both buffers of a connection. rueidis takes 512 KiB
	// each by default; a decision is 200 bytes, so this holds a hundred.
	connBuffer = 32 << 10
	// ringScale makes room for 4096 calls that wait for their answer on a
	// connection. Those that gave up stay until the answer comes; when there is no
	// room a caller waits beyond its deadline.
	ringScale = 12
)

// client is a connected client.
type client struct {
	rueidis.Client
	isCluster bool
}

// clientOption translates a configuration.
func clientOption(cfg Config) (rueidis.ClientOption, error) {
	o := rueidis.ClientOption{
		InitAddress: cfg.Addresses, Username: cfg.Username, Password: cfg.Password.Reveal(),
		Sentinel: rueidis.SentinelOption{
			MasterSet: cfg.Sentinel.Master, Username: cfg.Sentinel.Username, Password: cfg.Sentinel.Password.Reveal(),
		},
		ClientName: "gateway", ClientSetInfo: rueidis.DisableClientSetInfo,
		DisableCache: true, DisableRetry: true,
		// In a pipeline a call that came too late is forgotten. Without, its
		// connection would have to be closed.
		AlwaysPipelining:  true,
		PipelineMultiplex: -1, // one connection per server: what waits together travels together
		RingScaleEachConn: ringScale, ReadBufferEachConn: connBuffer, WriteBufferEachConn: connBuffer,
		ConnWriteTimeout: writeTimeout,
	}
	o.Dialer.Timeout, o.Dialer.KeepAlive = dialTimeout, idleCheck
	if !cfg.TLS.Enabled {
		return o, nil
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cfg.TLS.ServerName}
	if cfg.TLS.CAFile != "" {
		var err error
		switch secure.RootCAs, err = certs.Authorities(cfg.TLS.CAFile); {
		case errors.Is(err, certs.ErrNoAuthority):
			return o, fmt.Errorf("cannot use store.redis.tls.ca_file: %w", err)
		case err != nil:
			return o, fmt.Errorf("cannot read store.redis.tls.ca_file: %w", err)
		}
	}
	o.TLSConfig, o.Sentinel.TLSConfig = secure, secure
	return o, nil
}

// connect finds out what the addresses are of, and connects.
func (s *Store) connect() error {
	c, err := rueidis.NewClient(s.option)
	if err != nil {
		return fmt.Errorf("cannot connect: %w", err)
	}
	s.client.Store(&client{Client: c, isCluster: c.Mode() == rueidis.ClientModeCluster})
	return nil
}

// reconnect tries until the server can be reached for the first time. Later,
// rueidis connects again by itself.
func (s *Store) reconnect() {
	for s.wait(probeInterval) {
		if s.connect() == nil {
			s.recover()
			return
		}
	}
}
