package sandbox

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenLife is how long a token of POST /v2/auth/token lives.
const tokenLife = 24 * time.Hour

// refreshLife is how long its refresh token lives.
const refreshLife = 90 * 24 * time.Hour

const (
	accessGrant  = "access_token"
	refreshGrant = "refresh_token"
)

// claims are those of ChatShipper's own tokens.
type claims struct {
	User         string `json:"_id"`
	Organization string `json:"organization"`
	Scope        string `json:"scope"`
	GrantType    string `json:"grant_type"`
	jwt.RegisteredClaims
}

// sign makes a token. A zero exp makes one that never expires; the id makes
// two tokens of one second differ, as rotation must.
func (s *Sandbox) sign(a *account, grant, id string, iat, exp time.Time) string {
	c := claims{User: a.id, Organization: a.organization, Scope: a.level.scope(), GrantType: grant}
	c.ID = id
	c.IssuedAt = jwt.NewNumericDate(iat)
	if !exp.IsZero() {
		c.ExpiresAt = jwt.NewNumericDate(exp)
	}
	t, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString([]byte(s.opts.Secret))
	if err != nil {
		panic("BUG: cannot sign a token: " + err.Error())
	}
	return t
}

// verify reads a JWT. Its error is one of the three texts on which the
// official SDK refreshes its token.
func (s *Sandbox) verify(token string) (*claims, error) {
	c := &claims{}
	_, err := jwt.ParseWithClaims(token, c,
		func(*jwt.Token) (any, error) { return []byte(s.opts.Secret), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(s.opts.Now))
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, unauthorized("jwt expired")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return nil, unauthorized("invalid signature")
	}
	return nil, unauthorized("invalid token")
}

// unauthorized is a 401 that says which scheme would help.
func unauthorized(text string) error {
	return &problem{
		status: http.StatusUnauthorized, text: text,
		header: http.Header{"Www-Authenticate": {`Bearer realm="chatshipper"`}},
	}
}

// authenticate finds the user behind an Authorization header.
func (s *Sandbox) authenticate(header string) (*account, error) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "bearer") || token == "" {
		return nil, unauthorized("No authorization token was found")
	}
	return s.owner(token)
}

// owner finds the user of a token. A token acts as its user: one whose user
// was deleted is worth nothing, and the user's present role decides.
func (s *Sandbox) owner(token string) (*account, error) {
	s.mu.RLock()
	id, permanent := s.store.permanent[token]
	s.mu.RUnlock()
	if !permanent {
		c, err := s.verify(token)
		if err != nil {
			return nil, err
		}
		if c.GrantType != accessGrant {
			return nil, unauthorized("invalid token")
		}
		id = c.User
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a, ok := s.store.accounts[id]; ok {
		return a, nil
	}
	return nil, unauthorized("invalid token")
}

// login is POST /v2/auth/token, with a password or a refresh token. A bearer
// that comes along is not looked at: the SDK sends its stale one. The refusals
// here must not read like an expired or invalid token, on which the SDK would
// come back at once, for ever.
func (s *Sandbox) login(c *call) (answer, error) {
	body, err := c.object()
	if err != nil {
		return answer{}, err
	}
	var a *account
	switch {
	case body.has("refreshToken"):
		a, err = s.byRefreshToken(body.text("clientId"), body.text("refreshToken"))
	case body.has("password"):
		a, err = s.byPassword(body.text("email"), body.text("password"))
	default:
		err = badRequest("Send email and password, or clientId and refreshToken")
	}
	if err != nil {
		return answer{}, err
	}
	s.userLoggedIn(a, c.now)
	return answer{http.StatusCreated, s.grant(a, c.now)}, nil
}

func (s *Sandbox) byPassword(email, password string) (*account, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, a := range s.store.accounts {
		if a.password != "" && strings.EqualFold(a.email, email) &&
			subtle.ConstantTimeCompare([]byte(a.password), []byte(password)) == 1 {
			return a, nil
		}
	}
	return nil, refuse(http.StatusUnauthorized, "Wrong email or password")
}

func (s *Sandbox) byRefreshToken(client, token string) (*account, error) {
	refused := refuse(http.StatusUnauthorized, "The refresh was refused: log in again")
	c, err := s.verify(token)
	if err != nil || c.GrantType != refreshGrant {
		return nil, refused
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	a, ok := s.store.accounts[c.User]
	// The SDK composes bot+<id>@… itself, with the domain of its own day.
	if !ok || (!strings.EqualFold(client, a.email) && !strings.HasPrefix(client, "bot+"+a.id+"@")) {
		return nil, refused
	}
	return a, nil
}

// grant is the answer of a log-in.
func (s *Sandbox) grant(a *account, now time.Time) object {
	exp := now.Add(tokenLife)
	return obj(
		"tokenType", "Bearer",
		"token", s.sign(a, accessGrant, randomHex(8), now, exp),
		"refreshToken", s.sign(a, refreshGrant, randomHex(8), now, now.Add(refreshLife)),
		"user", a.id,
		"organization", a.organization,
		"expiresAt", stamp(exp),
		"scope", a.level.scope(),
	)
}
