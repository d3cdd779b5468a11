package redisstore

import (
	"testing"

	"github.com/chatshipper/gateway/internal/storetest"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

func TestASingleServerKeepsThePromises(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	storetest.Limits(t, func(t *testing.T) limiter.Store {
		server.do("FLUSHALL")
		return openGiven(t, testConfig(server.addr))
	})
	storetest.Messages(t, func(t *testing.T) loopguard.Store {
		server.do("FLUSHALL")
		return openGiven(t, testConfig(server.addr))
	})
}

func TestAClusterKeepsThePromises(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	empty := func(t *testing.T) *Store {
		for _, n := range nodes {
			n.do("FLUSHALL")
		}
		s := openGiven(t, testConfig(addresses(nodes)...))
		if !s.client.Load().isCluster {
			t.Fatal("the Cluster was not recognised")
		}
		return s
	}
	storetest.Limits(t, func(t *testing.T) limiter.Store { return empty(t) })
	storetest.Messages(t, func(t *testing.T) loopguard.Store { return empty(t) })
}
