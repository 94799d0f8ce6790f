package notices

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"edrpipe/internal/web"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/jobs"
)

// A channel is one family of subjects on the bus.
type channel struct {
	name, address, about string
	action               string // what the service does: send or receive
	messages             []message
}

// A message is what is sent on a channel. A CloudEvent's payload is its data.
type message struct {
	name, about string
	typ         string       // of the CloudEvent; empty: not one
	payload     reflect.Type // nil: anything
}

// channels is the contract with whoever reads or writes the bus.
func channels() []channel {
	return []channel{
		{"events", "edr.events.{server}.{type}", "EDR events as they arrived: JSON of the event forwarder, or the server's own protobuf.", "receive", []message{{"event", "One message of the EDR; see docs/events.md.", "", nil}}},
		{"dead", "edr.dead.{reason}", "Input that could not be used, as it arrived; the headers tell why and where from.", "send", []message{{"deadLetter", "The bytes as they arrived.", "", nil}}},
		{"jobs", "edr.jobs.{job}.{transition}", "The life of each job.", "send", []message{
			{"transition", "A job changed its state.", TypeTransition, reflect.TypeFor[jobs.TransitionNotice]()},
			{"step", "A step has ended; the subject ends in step.", TypeStep, reflect.TypeFor[jobs.StepNotice]()},
			{"decision", "A match made no job; the subject ends in decision.", TypeDecision, reflect.TypeFor[Decision]()},
		}},
		{"results", "edr.results.{rule}.{job}", "What came of each job, once; rule is manual for jobs of people.", "send", []message{{"result", "A job has ended.", TypeResult, reflect.TypeFor[jobs.ResultNotice]()}}},
		{"published", "edr.published.{subject}", "What the action publish says; its body is the rule author's.", "send", []message{{"published", "What a rule published.", TypePublished, nil}}},
		{"audit", "edr.audit", "The hash-linked log: blocks of lines, each a hash, a blank and an entry as JSON. Read it with pipeline audit.", "send", []message{{"auditEntry", "One entry, as in each line.", "", reflect.TypeFor[audit.Entry]()}}},
		{"calls", "edrpipe.api.{method}.{path}", "Calls of the HTTP API as NATS requests: the path below /api/v1/ with dots for slashes, the body as over HTTP, a header Authorization with Bearer and a user's token, and a header Query where the call has one. The reply's header Status is the HTTP status. An approval is answered at edrpipe.api.post.jobs.{job}.answer.", "receive", []message{{"answer", "An answer to an approval.", "", reflect.TypeFor[web.Answer]()}}},
	}
}

// Contract describes the bus as an AsyncAPI document, generated from the types that
// are sent.
func Contract() map[string]any {
	schemas, messages := map[string]any{}, map[string]any{}
	all, operations := map[string]any{}, map[string]any{}
	for _, c := range channels() {
		refs := map[string]any{}
		for _, m := range c.messages {
			messages[m.name] = m.describe(schemas)
			refs[m.name] = ref("components/messages/" + m.name)
		}
		entry := map[string]any{"address": c.address, "description": c.about, "messages": refs}
		parameters := map[string]any{}
		for part := range strings.SplitSeq(c.address, ".") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				parameters[strings.TrimSuffix(name, "}")] = map[string]any{}
			}
		}
		if len(parameters) > 0 {
			entry["parameters"] = parameters
		}
		all[c.name] = entry
		operations[c.action+strings.ToUpper(c.name[:1])+c.name[1:]] = map[string]any{"action": c.action, "channel": ref("channels/" + c.name)}
	}
	return map[string]any{
		"asyncapi": "3.0.0",
		"info":     map[string]any{"title": "edrpipe on the bus", "version": "1", "description": "Subjects of NATS JetStream. CloudEvents are in structured form: one JSON object with id, type, source, subject, time and data."},
		"channels": all, "operations": operations, "components": map[string]any{"messages": messages, "schemas": schemas},
	}
}

func ref(path string) map[string]any { return map[string]any{"$ref": "#/" + path} }

func (m message) describe(schemas map[string]any) map[string]any {
	d := map[string]any{"summary": m.about}
	var data any = true // anything
	if m.payload != nil {
		data = schema(m.payload, schemas)
	}
	if m.typ == "" {
		d["payload"] = data
		return d
	}
	text := map[string]any{"type": "string"}
	d["contentType"] = "application/cloudevents+json"
	d["payload"] = map[string]any{
		"type": "object", "required": []any{"specversion", "id", "type", "source", "data"},
		"properties": map[string]any{
			"specversion": map[string]any{"const": "1.0"}, "type": map[string]any{"const": m.typ}, "id": text, "source": text, "subject": text,
			"time": map[string]any{"type": "string", "format": "date-time"}, "datacontenttype": text, "data": data,
		},
	}
	return d
}

// schema describes a type, and puts the types it refers to among schemas.
func schema(t reflect.Type, schemas map[string]any) any {
	r := &jsonschema.Reflector{AllowAdditionalProperties: true}
	b, err := json.Marshal(r.ReflectFromType(t))
	if err != nil {
		panic(err) // schemas always can be
	}
	var s map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(b), "#/$defs/", "#/components/schemas/")), &s); err != nil {
		panic(err) // just made
	}
	defs, _ := s["$defs"].(map[string]any)
	for name, def := range defs {
		schemas[name] = def
	}
	return map[string]any{"$ref": s["$ref"]}
}
