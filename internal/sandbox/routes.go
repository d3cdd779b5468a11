package sandbox

import (
	"net/http"
	"path"
	"slices"
	"strings"
)

type handler func(*call) (answer, error)

// endpoint is where a path leads.
type endpoint struct {
	template string // "/v2/contacts/{id}", as the statistics count it
	methods  map[string]handler
	public   bool // needs no token
	control  bool // below /sandbox: not counted and never faulty
	id       string
}

func (e endpoint) allow() string {
	list := []string{http.MethodOptions}
	for m := range e.methods {
		list = append(list, m)
		if m == http.MethodGet {
			list = append(list, http.MethodHead)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// find reads a path as liberally as any router in front of the real API
// might: letter case, doubled and trailing slashes, dot segments and percent
// encoding make no difference. What reaches the sandbox in a strange spelling
// thus does what it meant to do.
func (s *Sandbox) find(p string) endpoint {
	segments := strings.Split(strings.Trim(path.Clean("/"+p), "/"), "/")
	switch strings.ToLower(segments[0]) {
	case "":
		return endpoint{template: "/", public: true, methods: map[string]handler{"GET": welcome}}
	case "sandbox":
		return s.findControl(segments[1:])
	case "v2":
		return s.findResource(segments[1:])
	}
	return endpoint{template: "other", public: true}
}

func (s *Sandbox) findResource(segments []string) endpoint {
	name := ""
	if len(segments) > 0 {
		name = strings.ToLower(segments[0])
	}
	_, known := titles[name]
	switch {
	case len(segments) == 2 && name == "auth" && strings.EqualFold(segments[1], "token"):
		return endpoint{template: "/v2/auth/token", public: true, methods: map[string]handler{"POST": s.login}}
	case !known:
		return endpoint{template: "other"}
	case len(segments) == 1:
		return endpoint{template: "/v2/" + name, methods: s.collectionMethods(name)}
	case len(segments) == 2:
		return endpoint{template: "/v2/" + name + "/{id}", methods: s.itemMethods(name), id: strings.ToLower(segments[1])}
	case len(segments) == 3 && name == "conversations" && strings.EqualFold(segments[2], "messages"):
		return endpoint{
			template: "/v2/conversations/{id}/messages", id: strings.ToLower(segments[1]),
			methods: map[string]handler{"GET": s.listThread, "POST": s.createInThread},
		}
	}
	return endpoint{template: "other"}
}

func (s *Sandbox) collectionMethods(name string) map[string]handler {
	m := map[string]handler{
		"GET":  func(c *call) (answer, error) { return s.list(c, name) },
		"POST": func(c *call) (answer, error) { return s.create(c, name) },
	}
	switch name {
	case "messages":
		m["POST"] = s.createMessages
	case "conversations":
		m["POST"] = s.createConversation
	case "services":
		m["POST"] = s.createService
	}
	return m
}

func (s *Sandbox) itemMethods(name string) map[string]handler {
	m := map[string]handler{
		"GET":    func(c *call) (answer, error) { return s.fetch(c, name) },
		"PATCH":  func(c *call) (answer, error) { return s.update(c, name) },
		"DELETE": func(c *call) (answer, error) { return s.delete(c, name) },
	}
	switch name {
	case "messages":
		m["PUT"] = s.replaceMessage
	case "services":
		m["PATCH"] = s.updateService
	}
	return m
}

func (s *Sandbox) findControl(segments []string) endpoint {
	e := endpoint{template: "/sandbox", public: true, control: true}
	switch strings.ToLower(strings.Join(segments, "/")) {
	case "":
		e.methods = map[string]handler{"GET": welcome}
	case "say":
		e.methods = map[string]handler{"POST": s.say}
	case "stats":
		e.methods = map[string]handler{"GET": s.showStats}
	case "requests":
		e.methods = map[string]handler{"GET": s.showRequests}
	case "reset":
		e.methods = map[string]handler{"POST": s.resetAll}
	case "tokens":
		e.methods = map[string]handler{"POST": s.makeToken}
	case "faults":
		e.methods = map[string]handler{"GET": s.showFaults, "POST": s.addFaults, "DELETE": s.clearFaults}
	case "webhooks":
		e.methods = map[string]handler{"GET": s.showWebhooks, "POST": s.switchWebhooks, "DELETE": s.calmWebhooks}
	}
	return e
}

func welcome(*call) (answer, error) {
	return ok("This is a sandbox: a ChatShipper-compatible API in memory.\n" +
		"Resources are below /v2/, switches below /sandbox/ (say, stats, requests, faults, webhooks, tokens, reset).\n")
}
