package redisstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

type reservation = loopguard.Reservation

// conversationOn is the name of a conversation whose slot one of three masters has.
func conversationOn(node int) string {
	for i := 0; ; i++ {
		if name := strconv.Itoa(i); slotOf(replyKey(idOf(name)))*3/slotCount == node {
			return name
		}
	}
}

// works takes one place of a key nobody knows, on the server.
func works(t *testing.T, s *Store, key string) {
	t.Helper()
	if d := s.Take(0, limiter.Hit{}, perSecond(key)); s.Degraded() || !d.Admitted || s.Failed(OpLimit.String()) != 0 {
		t.Errorf("degraded %v, %d errors, %+v", s.Degraded(), s.Failed(OpLimit.String()), d)
	}
}

// The rights that the documentation names are enough.
func TestAUserWithTheRightsThatAreDocumented(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	server.do("ACL", "SETUSER", "gateway", "on", ">a password", "resetchannels", "~gw*", "-@all",
		"+@connection", "+eval", "+evalsha", "+@list", "+@sortedset", "+@hash", "+get", "+set", "+del", "+pexpire", "+pttl", "+time", "+cluster|shards", "+cluster|slots")
	cfg := testConfig(server.addr)
	cfg.Username, cfg.Password = "gateway", "a password"
	s := open(t, cfg, nil)
	works(t, s, "k")
	if d := s.Reserve(0, rules, bot, message("c", "a"), new(reservation)); !d.Admitted || s.Failed(OpReserve.String()) != 0 {
		t.Errorf("got %+v", d)
	}
	_, _, err := s.LookRequests(0, limiter.PerKey, perSecond("k"))
	if _, alsoErr := s.LookMessages(0, rules, bot, message("c", "a")[0]); err != nil || alsoErr != nil {
		t.Errorf("looking: %v, %v", err, alsoErr)
	}
	cfg.Password = "another password"
	log := new(journal)
	if wrong := open(t, cfg, slog.New(slog.NewTextHandler(log, nil))); !wrong.Degraded() || log.lines("WRONGPASS") == 0 || log.lines("another password") != 0 {
		t.Error("a wrong password is not named, or shown")
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	port := freePort(t)
	startServer(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	cfg := testConfig("127.0.0.1:" + port)
	cfg.TLS = TLS{Enabled: true, CAFile: cert, ServerName: "redis.test"}
	works(t, open(t, cfg, nil), "k")
	cfg.TLS.ServerName = "another.test"
	if !open(t, cfg, nil).Degraded() {
		t.Error("a certificate of another name was believed")
	}
	for _, file := range []string{filepath.Join(t.TempDir(), "missing"), writeFile(t, "ca.pem", "no certificate")} {
		cfg.TLS.CAFile = file
		if _, err := Open(cfg, Deps{}); err == nil {
			t.Error("a CA file that can't be used is no error")
		}
	}
}

func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis.test"}, DNSNames: []string{"redis.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		writeFile(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

// A master that dies is replaced by its replica, which the Sentinel names.
func TestSentinel(t *testing.T) {
	t.Parallel()
	master := startServer(t)
	host, port, _ := net.SplitHostPort(master.addr)
	replica := startServer(t, "--replicaof", host+" "+port)
	eventually(t, "the replica follows", func() bool { return strings.Contains(replica.do("INFO", "replication"), "master_link_status:up") })
	sentinel := startSentinel(t, host, port)
	cfg := testConfig(sentinel.addr)
	cfg.Sentinel.Master, cfg.Timeout = "gw", 200*time.Millisecond
	s := open(t, cfg, nil)
	works(t, s, "before")
	eventually(t, "the sentinel knows the replica", func() bool {
		return strings.Contains(sentinel.do("INFO", "sentinel"), "slaves=1")
	})
	master.kill()
	breakdown(t, s)
	eventually(t, "the replica is the master", func() bool { return !s.Degraded() })
	if d := s.Take(0, limiter.Hit{}, perSecond("after")); d.States[limiter.PerKey].Used != 1 || replica.do("EXISTS", requestKey('k', idOf("after"))) != "1" {
		t.Errorf("the replica does not decide: %+v", d)
	}
}

// A Cluster of which one master dies goes on with the others, and with the dead
// one's replica when that has taken over.
func TestAClusterThatLosesAMaster(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	limits := slotOf(requestKey('k', idOf("k"))) * 3 / slotCount // the master of the request limits
	spare := startServer(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-config-file", filepath.Join(t.TempDir(), "nodes.conf"))
	host, port, _ := net.SplitHostPort(nodes[0].addr)
	spare.do("CLUSTER", "MEET", host, port)
	id := nodes[limits].do("CLUSTER", "MYID")
	eventually(t, "the spare node knows the master", func() bool { return strings.Contains(spare.do("CLUSTER", "NODES"), id) })
	spare.do("CLUSTER", "REPLICATE", id)
	eventually(t, "the replica follows", func() bool {
		return strings.Contains(spare.do("INFO", "replication"), "master_link_status:up") && strings.Contains(nodes[0].do("CLUSTER", "NODES"), "slave "+id)
	})
	cfg := testConfig(addresses(nodes)...)
	cfg.Timeout = 200 * time.Millisecond
	s := open(t, cfg, nil)
	works(t, s, "before")
	nodes[limits].kill()
	breakdown(t, s)
	if d := s.Take(time.Now().UnixNano(), limiter.Hit{}, perSecond("k")); !d.Admitted {
		t.Errorf("without the master: %+v", d)
	}
	elsewhere := conversationOn((limits + 1) % 3)
	res := new(reservation)
	if d := s.Reserve(0, rules, bot, message(elsewhere, "a"), res); !d.Admitted || res.Name == 0 {
		t.Errorf("another master is not asked any more: %+v", d)
	}
	eventually(t, "the replica has taken over", func() bool { return !s.Degraded() })
	if d := s.Take(0, limiter.Hit{}, perSecond("after")); d.States[limiter.PerKey].Used != 1 || spare.do("EXISTS", requestKey('k', idOf("after"))) != "1" {
		t.Errorf("the replica does not decide: %+v", d)
	}
}
