package e2e

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// startCluster starts three masters that share all slots, and a replica of the
// one that decides all request limits.
func startCluster(t *testing.T) (masters []*redisServer, limits int, replica *redisServer) {
	t.Helper()
	node := func() *redisServer {
		_, bus, _ := net.SplitHostPort(freeAddress(t)) // the usual one is among the system's ports for connections
		return startRedis(t, "--cluster-port", bus, "--cluster-enabled", "yes", "--cluster-node-timeout", "1500",
			"--cluster-config-file", filepath.Join(t.TempDir(), "nodes.conf"))
	}
	for range 3 {
		masters = append(masters, node())
	}
	replica = node()
	host, port, _ := net.SplitHostPort(masters[0].address)
	meet := "CLUSTER MEET " + host + " " + port + " " + masters[0].args[slices.Index(masters[0].args, "--cluster-port")+1]
	for i, m := range masters {
		m.do(t, fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", i*16384/3, (i+1)*16384/3-1))
		m.do(t, meet)
	}
	replica.do(t, meet)
	var slot int
	_, _ = fmt.Sscanf(masters[0].do(t, "CLUSTER KEYSLOT {l}"), ":%d", &slot)
	limits = slot * 3 / 16384
	id := masters[limits].do(t, "CLUSTER MYID")
	eventually(t, "the replica knows its master", func() error {
		if answer := replica.do(t, "CLUSTER REPLICATE "+id); answer != "+OK" {
			return errors.New(answer)
		}
		return nil
	})
	eventually(t, "the replica follows", func() error {
		if !strings.Contains(replica.do(t, "INFO replication"), "master_link_status:up") {
			return errors.New("no link")
		}
		for _, m := range masters {
			if info := m.do(t, "CLUSTER INFO"); !strings.Contains(info, "cluster_state:ok") || !strings.Contains(m.do(t, "CLUSTER NODES"), "slave "+id) {
				return errors.New(info)
			}
		}
		return nil
	})
	return masters, limits, replica
}

// The master that decides the request limits dies under load, and its replica
// takes over: no client sees it, and messages elsewhere are not concerned.
func TestAClusterFailsOverUnderLoad(t *testing.T) {
	t.Parallel()
	masters, limits, replica := startCluster(t)
	seen := new(stamped)
	gateways := fleet(t, startStub(t, seen.handle).URL, func(int) setup { return masters[(limits+1)%3].shared(", timeout: 100ms", onlyPerKey) })
	token := mint(agentUser, agentScope)
	stop, done := make(chan struct{}), make(chan []answer)
	go func() {
		var all []answer
		for {
			select {
			case <-stop:
				done <- all
				return
			default:
				all = append(all, flood(t, gateways, 10*time.Millisecond, 500*time.Millisecond, func(int) call { return call{path: "/v2/users", token: token} })...)
			}
		}
	}()
	time.Sleep(time.Second)
	masters[limits].kill()
	for _, g := range gateways {
		g.degraded(t, 1)
	}
	for _, g := range gateways {
		g.degraded(t, 0)
	}
	if replica.do(t, "DBSIZE") == ":0" {
		t.Error("the replica decides nothing")
	}
	close(stop)
	answers := <-done
	wantNo5xx(t, answers)
	if most := seen.most(); most > worstLocal {
		t.Errorf("%d requests within a second, the worst case is %d", most, worstLocal)
	}
	if passed := count(answers, 200); passed < 40 {
		t.Errorf("only %d of %d requests were admitted", passed, len(answers))
	}
}
