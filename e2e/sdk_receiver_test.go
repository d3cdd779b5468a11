package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// receiver is a bot that runs the SDK's own webhook server.
type receiver struct {
	address        string
	stdout, stderr output
}

// notice is something that the bot's handlers saw.
type notice struct{ Event, Text, Conversation string }

// startReceiver starts the bot in front of a gateway; server is how its author
// serves the webhook: "start" or "http".
func startReceiver(t *testing.T, g *gateway, token, server string) *receiver {
	t.Helper()
	r := &receiver{address: freeAddress(t)}
	_, port, _ := strings.Cut(r.address, ":")
	number, _ := strconv.Atoi(port)
	document, err := json.Marshal(map[string]any{
		"host": g.url(), "token": token, "secret": webhookSecret, "port": number, "server": server,
	})
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "sdk/receiver.js")
	node.Stdin, node.Stdout, node.Stderr = bytes.NewReader(document), &r.stdout, &r.stderr
	if err := node.Start(); err != nil {
		t.Fatalf("cannot start the bot: %v", err)
	}
	t.Cleanup(func() {
		_ = node.Process.Kill()
		_ = node.Wait()
		if t.Failed() {
			t.Logf("the bot printed\n%s%s", r.stdout.String(), r.stderr.String())
		}
	})
	r.await(t, "ready", []string{""})
	return r
}

// texts are those of all notices of one kind, in order.
func (r *receiver) texts(event string) []string {
	texts := []string{}
	for line := range strings.Lines(r.stdout.String()) {
		var n notice
		if err := json.Unmarshal([]byte(line), &n); err == nil && n.Event == event {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

// await waits until the notices of one kind are exactly the wanted ones.
func (r *receiver) await(t *testing.T, event string, want []string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the bot has noticed %s %q", event, want), func() error {
		if got := r.texts(event); !slices.Equal(got, want) {
			return fmt.Errorf("it has noticed %q", got)
		}
		return nil
	})
}

// wantNoErrors is for the end of a test: no handler was told of an error.
func (r *receiver) wantNoErrors(t *testing.T) {
	t.Helper()
	if errors := r.texts("error"); len(errors) > 0 {
		t.Errorf("the bot was told of the errors %q", errors)
	}
}

// subscribe makes a webhook service through the gateway with the SDK. That it
// becomes active means that the receiver has answered the challenge.
func (r *receiver) subscribe(t *testing.T, s *sandbox, g *gateway) {
	t.Helper()
	o := bot{Host: g.url(), Token: s.tokens["admin"], Calls: []sdkCall{{"services.create", []any{map[string]any{
		"name": "my bot", "type": "webhook",
		"params": map[string]any{"url": "http://" + r.address + "/", "secret": webhookSecret, "events": []string{"message.create"}},
	}}, 1}}}.drive(t)[0]
	wantOK(t, o)
	var service struct{ Status string }
	if err := json.Unmarshal(o.Result, &service); err != nil || service.Status != "active" {
		t.Fatalf("the webhook is not active: %s", o.Result)
	}
}

// say lets the consumer write.
func (s *sandbox) say(t *testing.T, conversation, words string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"conversation": conversation, "text": words})
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, s.direct(t, call{path: "/sandbox/say", body: string(body)}), 201)
}

// awaitThread waits until a conversation consists of exactly these texts.
func (s *sandbox) awaitThread(t *testing.T, conversation string, want ...string) []sentence {
	t.Helper()
	var list []sentence
	eventually(t, fmt.Sprintf("the conversation is %q", want), func() error {
		list = s.thread(t, conversation)
		if got := words(list); !slices.Equal(got, want) {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	return list
}

// awaitDeliveries waits until nothing is on its way any more.
func (s *sandbox) awaitDeliveries(t *testing.T, delivered int) {
	t.Helper()
	eventually(t, "all webhooks are delivered", func() error {
		o := at(s.direct(t, call{path: "/sandbox/stats"}).object(t), "webhooks")
		want := map[string]any{"pending": 0.0, "delivered": float64(delivered), "retried": 0.0, "failed": 0.0}
		if fmt.Sprint(o) != fmt.Sprint(want) {
			return fmt.Errorf("the deliveries are %v, want %v", o, want)
		}
		return nil
	})
}

func TestTheSDKsReceiverHandlesSignedDeliveries(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"start", "http"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			s := startSandbox(t)
			g := startGateway(t, s.url(), setup{rest: manyRequests})
			r := startReceiver(t, g, s.tokens["bot"], server)
			r.subscribe(t, s, g)

			s.say(t, seededThread, "Where is my order? ✓")
			r.await(t, "contact.chat", []string{"Where is my order? ✓"})

			wantStatus(t, s.direct(t, call{path: "/sandbox/webhooks", body: `{"twice":true}`}), 200)
			s.say(t, seededThread, "Hello?")
			s.awaitDeliveries(t, 3)
			want := []string{"Where is my order? ✓", "Hello?", "Hello?"}
			r.await(t, "contact.chat", want)
			r.await(t, "message", want)
			// A wrong signature would be told to the handler of errors.
			r.wantNoErrors(t)
		})
	}
}

func TestTheSDKsReceiverTellsOfAnotherSecret(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: manyRequests})
	r := startReceiver(t, g, s.tokens["bot"], "start")
	forged := delivery(event(seededThread, `"type":"chat","role":"contact","text":"forged"`, time.Now()), "a guess")
	forged.path = "/"
	if _, err := try(r.address, forged); err != nil {
		t.Fatal(err)
	}
	r.await(t, "error", []string{"Invalid signature on incoming request"})
}

func TestABotThatAnswersInItsHandlerPostsThroughTheGateway(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: manyRequests})
	r := startReceiver(t, g, s.tokens["bot"], "start")
	thread := s.newConversation(t, 1)
	before := s.arrivals(t)
	r.subscribe(t, s, g)

	s.say(t, thread, "echo good morning")
	list := s.awaitThread(t, thread, "echo good morning", "You said: good morning")
	if answer := list[1]; answer.User != sandboxBot || answer.Role != "agent" {
		t.Errorf("the answer is %+v, want the bot's in the role of an agent", answer)
	}
	// The handler's own words come back to it and are no new message to it.
	s.awaitDeliveries(t, 2)
	r.await(t, "message", []string{"echo good morning"})
	eventually(t, "the gateway has counted the answer", func() error {
		if got := g.metrics(t).sum("gateway_requests_total", `code="201"`, `source="upstream"`); got != 2 {
			return fmt.Errorf("it has counted %v requests that created something, want the webhook and the answer", got)
		}
		return nil
	})
	if n := s.arrivals(t).since(before).Routes["POST /v2/conversations/{id}/messages"]; n != 1 {
		t.Errorf("the sandbox saw %d requests that create messages, want 1", n)
	}
	r.wantNoErrors(t)
}

func TestTheConsumersAnswerComesBackToTheSDKsQuestion(t *testing.T) {
	t.Parallel()
	s := startSandbox(t)
	g := startGateway(t, s.url(), setup{rest: manyRequests})
	r := startReceiver(t, g, s.tokens["bot"], "start")
	r.subscribe(t, s, g)
	f := func(consumer int, trigger, question, answer string, want ...string) string {
		t.Helper()
		thread := s.newConversation(t, consumer)
		s.say(t, thread, trigger)
		before := s.awaitQuestion(t, thread, trigger, question)
		s.say(t, thread, answer)
		s.awaitThread(t, thread, append(append(before, answer), want...)...)
		return thread
	}
	colour := f(1, "colour", "Which colour?", "blue", "/set colour blue", "Noted: blue")
	f(2, "name", "What is your name?", "Ada", "Hello Ada")

	a := s.direct(t, call{path: "/v2/conversations/" + colour, token: s.tokens["admin"]})
	if got := at(a.object(t), "meta", "colour"); got != "blue" {
		t.Errorf("meta.colour is %v, want blue", got)
	}
	r.wantNoErrors(t)
}

// awaitQuestion waits until the bot has asked, and has noted in the conversation
// that it did. It returns the texts so far.
func (s *sandbox) awaitQuestion(t *testing.T, thread, trigger, question string) []string {
	t.Helper()
	var texts []string
	eventually(t, fmt.Sprintf("the bot has asked %q", question), func() error {
		texts = words(s.thread(t, thread))
		if len(texts) != 3 || texts[0] != trigger || texts[1] != question ||
			!strings.HasPrefix(texts[2], "/set _asked"+sandboxBot+" ") {
			return fmt.Errorf("the conversation is %q", texts)
		}
		return nil
	})
	return texts
}
