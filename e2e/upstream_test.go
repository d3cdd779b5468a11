package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// arrival is a request as it reached the upstream.
type arrival struct {
	method, target, host string
	header               http.Header
	body                 string
}

// stub is an upstream of the test's own, which remembers what reached it.
type stub struct {
	URL     string
	address string

	mu       sync.Mutex
	arrivals []arrival
}

// startStub answers with handle; nil answers as an API that creates whatever is
// posted and finds whatever is asked for.
func startStub(t *testing.T, handle http.HandlerFunc) *stub {
	t.Helper()
	if handle == nil {
		handle = agreeable
	}
	s := &stub{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.arrivals = append(s.arrivals, arrival{r.Method, r.RequestURI, r.Host, r.Header.Clone(), string(body)})
		s.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	s.URL, s.address = server.URL, server.Listener.Addr().String()
	return s
}

func agreeable(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch r.Method {
	case http.MethodPost:
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"65aa0f00aabbccddeeff0011","text":"created"}`)
	case http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	default:
		_, _ = io.WriteString(w, `{"id":"65aa0f00aabbccddeeff0011"}`)
	}
}

// reply always answers the same.
func reply(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// seen is what has arrived so far.
func (s *stub) seen() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]arrival(nil), s.arrivals...)
}

// last is the newest arrival.
func (s *stub) last(t *testing.T) arrival {
	t.Helper()
	all := s.seen()
	if len(all) == 0 {
		t.Fatal("nothing has reached the upstream")
	}
	return all[len(all)-1]
}

// startRawUpstream reads a request's head and then lets handle write whatever
// bytes it likes; the connection closes when handle returns.
func startRawUpstream(t *testing.T, handle func(conn net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("cannot listen: %v", err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 64<<10)
				_ = conn.SetDeadline(time.Now().Add(patience))
				if _, err := conn.Read(buf); err == nil {
					handle(conn)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// Users of the tests that need no sandbox.
const (
	botUser      = "65aa001122334455667711c1"
	otherBotUser = "65aa001122334455667711c2"
	agentUser    = "65aa001122334455667711b1"
	adminUser    = "65aa001122334455667711a1"

	guestScope = "viewer guest"
	agentScope = guestScope + " agent"
	botScope   = agentScope + " bot"
	adminScope = botScope + " admin"
)

// mint makes a token with ChatShipper's claims, signed with a secret of the
// tests' own.
func mint(user, scope string) string { return mintSigned("e2e", claims(user, scope)) }

func claims(user, scope string) map[string]any {
	return map[string]any{
		"_id": user, "organization": "65aa0011223344556677aaaa", "scope": scope,
		"grant_type": "access_token", "iat": 1740816000, "exp": 4102444800,
	}
}

func mintSigned(secret string, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(payload)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// conversation makes a distinct id of ChatShipper's form.
func conversation(n int) string { return fmt.Sprintf("65aa0e00aabbccddeef%05x", n) }
