package sandbox

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// handshakeTimeout is how long a webhook may take to answer its challenge.
const handshakeTimeout = 5 * time.Second

// createService is POST /v2/services. A webhook must answer its challenge
// before it is active; one created with the status "unverified" is asked only
// when an update makes it active.
func (s *Sandbox) createService(c *call) (answer, error) {
	if err := c.permit(toCreate, "services", ""); err != nil {
		return answer{}, err
	}
	body, err := c.object()
	if err != nil {
		return answer{}, err
	}
	d := draft(body)
	if d.text("type") == "" {
		return answer{}, unprocessable("A service must have a type")
	}
	if d.text("type") == "webhook" {
		if err := s.subscribe(c, &d, object{}); err != nil {
			return answer{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	doc, err := s.createLocked(c, "services", d)
	if err != nil {
		return answer{}, err
	}
	return created(doc)
}

// updateService is PATCH /v2/services/{id}.
func (s *Sandbox) updateService(c *call) (answer, error) {
	if err := c.permit(toUpdate, "services", c.id); err != nil {
		return answer{}, err
	}
	body, err := c.object()
	if err != nil {
		return answer{}, err
	}
	d := draft(body)
	s.mu.RLock()
	old := s.store.doc("services", c.id)
	s.mu.RUnlock()
	if cmp.Or(d.text("type"), old.text("type")) == "webhook" {
		if err := s.subscribe(c, &d, old); err != nil {
			return answer{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	doc, err := s.updateLocked(c, "services", d)
	if err != nil {
		return answer{}, err
	}
	return ok(doc)
}

// subscribe verifies a webhook when its URL changes or its status is set to
// active, and sets the status accordingly. A failure is 403 and nothing
// changes.
func (s *Sandbox) subscribe(c *call, d *object, old object) error {
	params := old.object("params")
	if d.has("params") {
		params = append(object{}, d.object("params")...)
		if params.text("secret") == "" {
			params.set("secret", randomHex(16))
		}
		d.set("params", params)
	}
	target, err := url.Parse(params.text("url"))
	if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
		return unprocessable("A webhook must have an http or https URL in params.url")
	}
	moved := params.text("url") != old.object("params").text("url")
	status := d.text("status")
	switch {
	case status == "active" || (status == "" && moved):
		if !s.hooks.verify(c.r.Context(), target) {
			return forbidden("The webhook did not answer the challenge")
		}
		d.set("status", "active")
	case moved:
		d.set("status", "unverified")
	}
	return nil
}

// verify asks the URL to repeat a challenge, as plain text and nothing else.
func (h *hooks) verify(ctx context.Context, target *url.URL) bool {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	challenge := randomHex(16)
	q := target.Query()
	q.Set("type", "subscribe")
	q.Set("challenge", challenge)
	u := *target
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false
	}
	res, err := h.client.Do(r)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(len(challenge))+1))
	return err == nil && res.StatusCode/100 == 2 && string(body) == challenge
}
