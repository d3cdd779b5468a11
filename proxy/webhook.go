package proxy

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the algorithm that ChatShipper signs with
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/chatshipper/gateway/internal/apierror"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/loopguard"
)

// webhook takes ChatShipper's reports of replies that never pass through the
// gateway: a consumer writes from a messenger, an agent from the inbox. It
// stands outside the rate limits. It reports whether the request was for it.
func (x *exchange) webhook() bool {
	if x.routed.route != routeWebhook {
		return false
	}
	x.answerWebhook()
	return true
}

func (x *exchange) answerWebhook() {
	events := x.g.metrics.events
	switch x.method {
	case methodGet:
		var args fasthttp.Args
		_, query, _ := bytes.Cut(x.target, []byte{'?'})
		args.ParseBytes(query)
		if string(args.Peek("type")) != "subscribe" || len(args.Peek("challenge")) == 0 {
			x.refuseWith(apierror.Error{Code: apierror.InvalidRequest, Message: "Expected ?type=subscribe&challenge=…, ChatShipper's handshake."})
			return
		}
		events[eventHandshake].Inc()
		x.answerPlain(args.Peek("challenge"))
	case methodPost:
		if !x.receive(int64(x.rules.maxGuardedBody)) {
			return
		}
		if !x.whole {
			x.refuse(apierror.PayloadTooLarge)
			return
		}
		if !x.signedByChatShipper() {
			events[eventBadSignature].Inc()
			x.refuseWith(apierror.Error{Code: apierror.Unauthenticated, Message: "The X-Hub-Signature header is missing or does not fit webhook.secret."})
			return
		}
		x.take(x.body)
	default:
		x.refuseWith(apierror.Error{Code: apierror.MethodNotAllowed, Message: "The webhook takes GET for the handshake and POST for events."})
	}
}

func (x *exchange) answerPlain(body []byte) {
	x.status = fasthttp.StatusOK
	x.ownAnswer = true
	x.reply.add([]byte("Content-Type"), []byte("text/plain; charset=utf-8"))
	x.reply.add([]byte("X-Content-Type-Options"), []byte("nosniff"))
	x.reply.body = bytes.Clone(body)
}

// signedByChatShipper checks the HMAC of the raw body in constant time. Without
// a secret nothing can be checked, so nothing is believed.
func (x *exchange) signedByChatShipper() bool {
	secret := x.rules.webhookSecret
	given, ok := strings.CutPrefix(string(x.fields.named("X-Hub-Signature")), "sha1=")
	if len(secret) == 0 || !ok {
		return false
	}
	signature, err := hex.DecodeString(given)
	if err != nil {
		return false
	}
	mac := hmac.New(sha1.New, secret)
	_, _ = mac.Write(x.body) // a hash never fails to be written to
	return hmac.Equal(signature, mac.Sum(nil))
}

// event is what the gateway reads of a webhook event.
type event struct {
	Event     string    `json:"event"`
	Timestamp time.Time `json:"timestamp"`
	Activity  struct {
		Published time.Time `json:"published"`
	} `json:"activity"`
	Data struct {
		Conversation struct {
			ID string `json:"id"`
		} `json:"conversation"`
		Message struct {
			Conversation string          `json:"conversation"`
			Role         string          `json:"role"`
			User         json.RawMessage `json:"user"`
		} `json:"message"`
		User struct {
			ID    string `json:"id"`
			Role  string `json:"role"`
			Scope string `json:"scope"`
		} `json:"user"`
	} `json:"data"`
}

// take takes a signed event. Events come late, twice and out of order: the
// reply stands at the event's own time, so none of the three does harm.
func (x *exchange) take(body []byte) {
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		x.g.metrics.events[eventInvalid].Inc()
		x.refuseWith(apierror.Error{Code: apierror.InvalidRequest, Message: "The event is no valid JSON."})
		return
	}
	x.answerPlain(nil)
	user := e.user()
	if !strings.HasPrefix(e.Event, "message.create.") || e.conversation() == "" || e.at().IsZero() || !x.isReply(&e, user) {
		x.g.metrics.events[eventIgnored].Inc()
		return
	}
	x.g.metrics.events[eventReply].Inc()
	conversation := x.rules.reader.Conversation([]byte(e.conversation()))
	reply := loopguard.Reply{
		Conversation: conversation, Author: x.g.hasher.Sum([]byte(user)),
		At: min(x.g.clock.fromWall(e.at()), x.now), Wall: e.at().UnixNano(), Window: x.rules.guard.Window(loopguard.Consecutive),
	}
	x.replied = replied{conversation, reply.At}
	if x.g.guard.Reply(x.now, reply) {
		x.g.metrics.resets[resetWebhook].Inc()
	}
}

// isReply reports whether an event is a consumer's or a person's message. A bot
// that posted with role contact is recognised by its user id: the reply is then
// that bot's, and resets every streak but its own.
func (x *exchange) isReply(e *event, user string) bool {
	if e.Data.Message.Role == "contact" {
		return true
	}
	words := ""
	if e.Data.User.ID == "" || e.Data.User.ID == user {
		words = e.Data.User.Role + " " + e.Data.User.Scope
	}
	return x.rules.directory.RoleOf(user, words) == identity.Human
}

func (e *event) conversation() string {
	if e.Data.Message.Conversation != "" {
		return e.Data.Message.Conversation
	}
	return e.Data.Conversation.ID
}

func (e *event) at() time.Time {
	if !e.Timestamp.IsZero() {
		return e.Timestamp
	}
	return e.Activity.Published
}

// user is the id of the message's user, which is an id or an object with one.
func (e *event) user() string {
	var id string
	if json.Unmarshal(e.Data.Message.User, &id) == nil && id != "" {
		return id
	}
	var object struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(e.Data.Message.User, &object) == nil && object.ID != "" {
		return object.ID
	}
	return e.Data.User.ID
}
