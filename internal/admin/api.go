package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
)

// API answers operators' questions. Every part may be nil, and is then not there.
type API struct {
	Explain func(q Question) (any, error) // errors say what of the question can't be understood
	Top     func(n int) any
	// Reset forgets what was sent to a conversation, and returns what the logs call
	// it.
	Reset func(conversation string) (digest string, err error)
}

// Question is a request that an operator asks about. Each part may be left out.
type Question struct {
	IP           string          `json:"ip"`
	Key          string          `json:"key"`
	User         string          `json:"user"`
	Role         string          `json:"role"`
	Conversation string          `json:"conversation"`
	Message      json.RawMessage `json:"message,omitempty"`
}

// maxQuestion is the most bytes of a POST: a message of the default size fits.
const maxQuestion = 1<<20 + 16<<10

// maxTop is how many of each kind may be asked for.
const maxTop = 500

func (s *Server) apiDoors(api API) {
	if api.Explain != nil {
		s.doors["/admin/v1/explain"] = door{Handler: explain(api.Explain), asks: true}
	}
	if api.Top != nil {
		s.doors["/admin/v1/top"] = door{Handler: top(api.Top)}
	}
	if api.Reset != nil {
		s.doors["/admin/v1/loopguard/reset"] = door{Handler: s.reset(api.Reset), asks: true, changes: true}
	}
}

// explain takes its question from the query, or from the body of a POST, so that
// a key need not stand in an address that is logged or remembered.
func explain(answerTo func(Question) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q Question
		var err error
		if r.Method == http.MethodPost {
			err = readBody(w, r, &q)
		} else {
			q, err = questionOf(r.URL.Query())
		}
		var out any
		if err == nil {
			out, err = answerTo(q)
		}
		reply(w, out, err)
	}
}

// questionOf reads a query, as strictly as a body.
func questionOf(values url.Values) (q Question, err error) {
	for name, list := range values {
		place, known := map[string]*string{"ip": &q.IP, "key": &q.Key, "user": &q.User, "role": &q.Role, "conversation": &q.Conversation}[name]
		switch {
		case name == "message":
			q.Message = json.RawMessage(list[0])
		case !known:
			return q, fmt.Errorf("unknown parameter %q; known are ip, key, user, role, conversation and message", name)
		default:
			*place = list[0]
		}
		if len(list) > 1 {
			return q, fmt.Errorf("the parameter %s is set twice", name)
		}
	}
	return q, nil
}

func top(answerTo func(n int) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n := 10
		if text := r.URL.Query().Get("n"); text != "" {
			var err error
			if n, err = strconv.Atoi(text); err != nil || n < 1 || n > maxTop {
				reply(w, nil, fmt.Errorf("the parameter n must be from 1 to %d", maxTop))
				return
			}
		}
		reply(w, answerTo(n), nil)
	}
}

func (s *Server) reset(forget func(conversation string) (digest string, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Conversation string `json:"conversation"`
		}
		digest := ""
		err := readBody(w, r, &q)
		if err == nil {
			digest, err = forget(q.Conversation)
		}
		if err != nil {
			s.audit(r, "loopguard_reset", "refused")
			reply(w, nil, err)
			return
		}
		s.audit(r, "loopguard_reset", "done", "conversation", digest)
		reply(w, map[string]string{"message": "The conversation was reset: its bots begin anew.", "conversation": digest}, nil)
	}
}

// readBody reads the one JSON object of a POST. A browser sends no JSON to
// another site without asking first, which nothing here would allow.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return errors.New("expected Content-Type: application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuestion))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("cannot read the body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("cannot read the body: expected one JSON object")
	}
	return nil
}

func reply(w http.ResponseWriter, out any, err error) {
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	body, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic("BUG: an answer that is no JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // a client that went away is no concern of ours
}
