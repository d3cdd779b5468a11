package e2e

import "testing"

func TestDocumentationMessages(t *testing.T) {
	f := newParagraph(t)
	for _, kind := range []string{"chat", "card", "postback", "mention", "tag", "search", "command", "form", "field", "results", "report", "status"} {
		f("type "+kind,
			step{
				ask: "bot POST <thread>", body: `{"type":"` + kind + `","text":"x","meta":{"k":1},"delay":10,"touchpoint":"sms"}`, want: 201,
				says: `"type":"` + kind + `" … "meta":{"k":1}`, keep: "message",
			},
			step{ask: "bot GET /v2/messages/<message>", want: 200, says: `"touchpoint":"sms"`})
	}
	f("four ways to create them",
		step{ask: "bot POST <thread>", body: `{"text":"1"}`, want: 201, says: `"conversation":"<conversation>" … "type":"chat" … "role":"bot" … "text/plain"`},
		step{ask: "bot POST <thread>", body: `[{"text":"2"},{"text":"3"}]`, want: 201, says: `[{ … "text":"2" … "text":"3" … }]`},
		step{ask: "bot POST /v2/messages", body: `{"conversation":"<conversation>","text":"4"}`, want: 201, says: `"text":"4"`},
		step{ask: "bot POST /v2/messages", body: `[{"conversation":"<conversation>","text":"5"}]`, want: 201, says: `[{`},
		step{ask: "bot POST /v2/conversations", body: `{"contact":{"profile":{"email":"ada@consumer.example"}},"messages":[{"text":"6"}]}`, want: 200},
		step{ask: "nobody POST /sandbox/say", body: `{"text":"7"}`, want: 201, says: `"role":"contact"`},
		step{ask: "bot GET /v2/messages?conversation=<conversation>&select=text", want: 200, says: `"1" … "2" … "3" … "4" … "5" … "6" … "7"`})
	f("roles",
		step{ask: "bot POST <thread>", body: `{"text":"x"}`, want: 201, says: `"role":"bot"`},
		step{ask: "agent POST <thread>", body: `{"text":"x"}`, want: 201, says: `"role":"agent"`},
		step{ask: "bot POST <thread>", body: `{"text":"x","role":"agent"}`, want: 201, says: `"role":"agent"`},
		step{ask: "bot POST <thread>", body: `{"text":"x","role":"contact"}`, want: 201, says: `"role":"contact"`},
		step{ask: "admin POST <thread>", body: `{"text":"x","user":"<second>"}`, want: 201, says: `"user":"<second>"`},
		step{ask: "agent POST <thread>", body: `{"text":"x","isBackchannel":true}`, want: 201, says: `"isBackchannel":true`},
		step{ask: "bot POST <thread>", body: `{"text":"x","role":"king"}`, want: 422})
	f("actions and items need no text",
		step{ask: "bot POST <thread>", body: `{"items":[{"text":"a"}]}`, want: 201, says: `"items":[{"text":"a"}]`},
		step{
			ask: "bot POST <thread>", body: `{"actions":[{"type":"reply","payload":"yes"},{"type":"link","text":"t","uri":"https://x.example/?a=1&b=<2>"}]}`, want: 201,
			says: `"payload":"yes"`,
		},
		step{ask: "bot POST <thread>", body: `{"text":""}`, want: 422},
		step{ask: "bot POST <thread>", body: `{}`, want: 422})
	f("a mention sets the target's inbox flag",
		step{ask: "bot POST <thread>", body: `{"type":"mention","text":"@Alex look","meta":{"targetUser":"<agent>"}}`, want: 201},
		step{ask: "bot GET /v2/conversations/<conversation>", want: 200, says: `"user":"<agent>" … "inbox":true`})
	f("forms and fields",
		step{ask: "bot POST <thread>", body: `{"type":"form","text":"+Order","meta":{"form":"<nowhere>","categoryIndex":9}}`, want: 201, says: `"categoryIndex":9`},
		step{ask: "bot POST <thread>", body: `{"type":"form","text":"-Order","meta":{"form":"<nowhere>"}}`, want: 201},
		step{ask: "bot POST <thread>", body: `{"type":"field","text":".size XL","meta":{"form":"<nowhere>","key":"size"}}`, want: 201, says: `"key":"size"`})
	f("what the API refuses",
		step{ask: "bot POST /v2/messages", body: `{"text":"x"}`, want: 422},
		step{ask: "bot POST /v2/messages", body: `{"conversation":"<nowhere>","text":"x"}`, want: 404},
		step{ask: "bot POST /v2/conversations/<nowhere>/messages", body: `{"text":"x"}`, want: 404},
		step{ask: "bot POST <thread>", body: `{"text":"x","type":"poem"}`, want: 422},
		step{ask: "bot POST <thread>", body: `[{"text":"x"},{"text":""}]`, want: 422},
		step{ask: "bot POST <thread>", body: `[]`, want: 422},
		step{ask: "bot POST <thread>", body: `{"text":"x"`, want: 400, code: "invalid_request"})
}

func TestDocumentationCommands(t *testing.T) {
	f := newParagraph(t)
	say := func(who, text, meta string) step {
		return step{ask: who + " POST <thread>", body: `{"type":"command","text":"` + text + `","meta":` + meta + `}`, want: 201, says: `"type":"command"`}
	}
	then := func(says string) step {
		return step{ask: "bot GET /v2/conversations/<conversation>?populate=messages", want: 200, says: says}
	}
	closed := step{ask: "bot PATCH /v2/conversations/<conversation>", body: `{"status":"closed"}`, want: 200, says: `"status":"closed"`}
	f("/notify queues a closed conversation", closed, say("bot", "/notify", `{}`), then(`"status":"queued"`))
	f("/notify names organizations", closed, say("bot", "/notify", `{"organizations":["<organization>"]}`), then(`"status":"queued"`))
	f("/notify names channels", closed, say("bot", "/notify", `{"channels":["<nowhere>"]}`), then(`"status":"queued"`))
	f("/enqueue is its older name", closed, say("bot", "/enqueue", `{}`), then(`"status":"queued"`))
	f("/assign puts it into an inbox, /accept takes it out", say("bot", "/assign", `{"users":["<agent>"]}`),
		then(`"user":"<agent>" … "inbox":true`), say("agent", "/accept", `{}`), then(`"status":"active" … "user":"<agent>" … "accepted":true … "inbox":false`))
	f("/join and /leave", say("agent", "/join", `{}`), then(`"user":"<agent>" … "accepted":false`), say("agent", "/leave", `{}`), then(`"status":"active"`),
		say("bot", "/leave", `{}`), then(`"status":"closed"`))
	f("/set writes and unsets meta", say("bot", "/set intent order", `{}`), say("bot", "/set note two words", `{}`),
		then(`"meta":{"intent":"order","note":"two words"}`), say("bot", "/set intent ", `{}`), then(`"meta":{"note":"two words"}`))
	f("a bot's own command has no effect", say("bot", ">order 7", `{}`), then(`"status":"active"`))
}

func TestDocumentationConversations(t *testing.T) {
	f := newParagraph(t)
	f("a new contact is 201, with the messages in order",
		step{
			ask: "bot POST /v2/conversations", body: `{"organization":"<organization>","type":"contact","contact":{"profile":{"name":"Eve","telephone":"+31979"}},` +
				`"messages":[{"role":"agent","touchpoint":"sms","text":"a"},{"text":"b","delay":2000}],"meta":{"k":"v"},"extra":1}`, want: 201,
			says: `"status":"active" … "user":"<bot>" … "active":true … "accepted":true`, keep: "new",
		},
		step{ask: "bot GET /v2/conversations/<new>?populate=messages,contact", want: 200, says: `"telephone":"+31979"`},
		step{ask: "bot GET /v2/conversations/<new>/messages", want: 200, says: `"text":"a" … "text":"b"`},
		step{ask: "bot POST /v2/conversations/<new>/messages", body: `{"type":"command","text":"/leave","delay":2000}`, want: 201},
		step{ask: "bot GET /v2/conversations/<new>", want: 200, says: `"status":"closed"`})
	f("an existing contact is 200 and the same conversation",
		step{
			ask: "bot POST /v2/conversations", body: `{"type":"contact","contact":{"profile":{"email":"ADA@consumer.example","city":"Delft"}},"messages":[{"text":"a"}]}`,
			want: 200, says: `"id":"<conversation>"`,
		},
		step{ask: "bot POST /v2/conversations", body: `{"contact":"<contact>","messages":[{"text":"b"}]}`, want: 200, says: `"id":"<conversation>"`},
		step{ask: "bot GET /v2/contacts/<contact>", want: 200, says: `"city":"Delft"`},
		step{ask: "bot GET <thread>", want: 200, says: `"text":"a" … "text":"b"`})
	f("the team's own have no contact",
		step{ask: "bot POST /v2/conversations", body: `{"type":"agent","name":"Team","messages":[{"text":"x"}]}`, want: 201, says: `"type":"agent"`},
		step{ask: "bot POST /v2/conversations", body: `{"type":"system"}`, want: 201})
	f("what the API refuses",
		step{ask: "bot POST /v2/conversations", body: `{}`, want: 422},
		step{ask: "bot POST /v2/conversations", body: `{"type":"party"}`, want: 422},
		step{ask: "bot POST /v2/conversations", body: `{"contact":"<nowhere>"}`, want: 404},
		step{ask: "bot POST /v2/conversations", body: `{"type":"agent","messages":[{"text":""}]}`, want: 422})
	f("participants",
		step{ask: "second-bot POST <thread>", body: `{"text":"x"}`, want: 201},
		step{ask: "bot GET /v2/conversations/<conversation>", want: 200, says: `"user":"<bot>" … "user":"<second>" … "accepted":false`},
		step{ask: "second-bot POST <thread>", body: `{"text":"x","role":"agent"}`, want: 201},
		step{ask: "bot GET /v2/conversations?participants.user=<second>&populate=participants.user", want: 200, says: `"givenName":"Second" … "accepted":true`})
}
