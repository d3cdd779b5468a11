package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

var messageTypes = []string{
	"chat", "card", "postback", "mention", "tag", "search",
	"command", "form", "field", "results", "report", "status",
}

var messageRoles = []string{"contact", "agent", "bot"}

// author is who writes a message.
type author struct {
	user    string // "" for a consumer
	contact string // the consumer, "" for a user
	role    string // the role of the messages that name none
}

// authorOf is a user as an author: bots write as bots, people as agents.
func authorOf(a *account) author {
	if a.role == "bot" {
		return author{user: a.id, role: "bot"}
	}
	return author{user: a.id, role: "agent"}
}

// createMessages is POST /v2/messages: one message or an array of them, each
// naming its conversation.
func (s *Sandbox) createMessages(c *call) (answer, error) { return s.post(c, "") }

// createInThread is POST /v2/conversations/{id}/messages.
func (s *Sandbox) createInThread(c *call) (answer, error) { return s.post(c, c.id) }

func (s *Sandbox) post(c *call, conversation string) (answer, error) {
	if err := c.permit(toCreate, "messages", ""); err != nil {
		return answer{}, err
	}
	body, err := c.body()
	if err != nil {
		return answer{}, err
	}
	drafts, many, err := messageDrafts(body)
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	docs, err := s.addMessages(c, authorOf(c.who), conversation, drafts)
	switch {
	case err != nil:
		return answer{}, err
	case many:
		return created(docs)
	}
	return created(docs[0])
}

// messageDrafts reads a body that is one message or an array of messages.
func messageDrafts(body any) (drafts []object, many bool, err error) {
	list, many := body.([]any)
	if !many {
		list = []any{body}
	}
	if len(list) == 0 {
		return nil, many, unprocessable("The list of messages is empty")
	}
	for _, e := range list {
		o, isObject := e.(object)
		if !isObject {
			return nil, many, unprocessable("A message must be a JSON object")
		}
		drafts = append(drafts, draft(o))
	}
	return drafts, many, nil
}

// addMessages adds messages to their conversations: all of them, or none when one is
// invalid. With a conversation given, it goes before what the drafts say.
func (s *Sandbox) addMessages(c *call, who author, conversation string, drafts []object) ([]any, error) {
	threads := make([]*record, len(drafts))
	for i := range drafts {
		id := conversation
		if id == "" {
			id = drafts[i].text("conversation")
		}
		if err := s.store.checkMessage(drafts[i]); err != nil {
			return nil, err
		}
		if id == "" {
			return nil, unprocessable("A message must name its conversation")
		}
		r, found := s.store.collections["conversations"].get(id)
		if !found {
			return nil, notFound("Conversation")
		}
		threads[i] = r
	}
	docs := make([]any, len(drafts))
	for i, d := range drafts {
		docs[i] = s.addMessage(c, who, threads[i], d)
	}
	return docs, nil
}

// addMessage stores a message, lets it have its effect on the conversation
// and tells the webhooks.
func (s *Sandbox) addMessage(c *call, who author, thread *record, d object) object {
	st := s.store
	if user := d.text("user"); user != "" { // speaks for somebody
		who = authorOf(st.accounts[user])
	}
	d.setDefault("role", who.role)
	d.set("conversation", thread.doc.text("id"))
	d.set("organization", thread.doc.text("organization"))
	if who.user != "" {
		d.set("user", who.user)
	}
	if who.contact != "" {
		d.set("contact", who.contact)
	}
	doc := st.complete("messages", d, c.now)
	st.insert("messages", doc)
	s.stats.messageCreated(thread.doc.text("id"))

	before := thread.doc
	next := st.affect(before, doc)
	moved := !slices.EqualFunc(before, next, sameMember)
	next.set("updatedAt", stamp(c.now))
	st.publish("conversations", thread, next)
	s.messageCreated(next, doc, c)
	if moved {
		s.changed("conversations", "update", next, c)
	}
	return doc
}

// checkMessage refuses with 422 what can be no message.
func (st *store) checkMessage(d object) error {
	text, isText := d.get("text").(string)
	empty := text == "" && len(d.list("items")) == 0 && len(d.list("actions")) == 0
	switch {
	case d.has("text") && !isText:
		return unprocessable("The text of a message must be a string")
	case empty:
		return unprocessable("A message must have a text, items or actions")
	case d.has("type") && !slices.Contains(messageTypes, d.text("type")):
		return unprocessable("The type of a message must be one of %s", strings.Join(messageTypes, ", "))
	case d.has("role") && !slices.Contains(messageRoles, d.text("role")):
		return unprocessable("The role of a message must be one of %s", strings.Join(messageRoles, ", "))
	case d.has("meta") && d.object("meta") == nil:
		return unprocessable("The meta of a message must be an object")
	case d.has("user") && st.accounts[d.text("user")] == nil:
		return unprocessable("The user of a message must be the id of a user")
	case d.has("delay") && !validDelay(d.get("delay")):
		return unprocessable("The delay of a message must be a number of milliseconds")
	}
	return nil
}

func validDelay(v any) bool {
	n, isNumber := v.(json.Number)
	ms, err := n.Float64()
	return isNumber && err == nil && ms >= 0
}

// say is POST /sandbox/say: the consumer writes, as if from WhatsApp or a
// web page. It enters without passing any gateway.
func (s *Sandbox) say(c *call) (answer, error) {
	body, err := c.object()
	if err != nil {
		return answer{}, err
	}
	id := body.text("conversation")
	if id == "" {
		id = conversationID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who := author{role: "contact", contact: s.store.doc("conversations", id).text("contact")}
	d := draft(body).without("user", "role")
	docs, err := s.addMessages(c, who, id, []object{d})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, docs[0]}, nil
}
