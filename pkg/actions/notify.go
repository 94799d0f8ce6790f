package actions

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// NotifyParams are the parameters of notify.
type NotifyParams struct {
	To     string            `json:"to" required:"true" literal:"true" names:"secret" doc:"name of the secret that holds the webhook's address"`
	Format string            `json:"format" default:"generic" oneof:"slack,teams,generic" literal:"true" doc:"what the receiver understands"`
	Title  string            `json:"title" required:"true" doc:"first line"`
	Text   string            `json:"text" doc:"further text"`
	Fields map[string]string `json:"fields" doc:"facts, shown as a table"`
	Sign   string            `json:"sign" literal:"true" names:"secret" doc:"name of the secret to sign a generic message with"`
}

var _ = Register(Definition[NotifyParams, HTTPOutput]{
	Is: Spec{
		Name:    "notify",
		Summary: "Tell people: a message to Slack, Teams or any webhook",
		Class:   Repeatable,
	},
	Do: func(ctx context.Context, t *Task, p NotifyParams) (HTTPOutput, error) {
		to, err := t.lookUp(p.To)
		if err != nil {
			return HTTPOutput{}, err
		}
		u, err := url.Parse(to.Text)
		if err != nil || u.Host == "" {
			return HTTPOutput{}, errors.New("secret " + p.To + " is not an address")
		}
		if err := to.mayGoTo(p.To, u.Hostname()); err != nil {
			return HTTPOutput{}, err
		}
		out, err := t.request(ctx, HTTPParams{
			URL: to.Text, Method: "POST", Sign: p.Sign, Body: p.message(t.Job),
			Timeout: notifyTimeout, Retries: 5, Idempotent: true,
		})
		if err != nil {
			return out, fmt.Errorf("notify %s: %w", p.To, err)
		}
		return out, nil
	},
})

const notifyTimeout = Duration(10e9)

// message builds what the receiver takes. Text from events only fills fields
// that the receivers show as they are, without markup.
func (p NotifyParams) message(job JobRef) any {
	switch p.Format {
	case "slack":
		return p.slack()
	case "teams":
		return p.teams()
	}
	return map[string]any{"title": p.Title, "text": p.Text, "fields": p.Fields, "job": job}
}

type object = map[string]any

func plainText(s string) object { return object{"type": "plain_text", "text": s, "emoji": false} }

// slack builds Block Kit blocks: text of type plain_text is never markup. The
// limits are Slack's: 150 characters a header, 3000 a text, 10 fields a section.
func (p NotifyParams) slack() object {
	blocks := []object{{"type": "header", "text": plainText(clip(p.Title, 150))}}
	if p.Text != "" {
		blocks = append(blocks, object{"type": "section", "text": plainText(clip(p.Text, 3000))})
	}
	var cells []object
	for _, name := range sortedKeys(p.Fields) {
		cells = append(cells, plainText(clip(name+": "+p.Fields[name], 2000)))
	}
	for len(cells) > 0 {
		n := min(len(cells), 10)
		blocks = append(blocks, object{"type": "section", "fields": cells[:n]})
		cells = cells[n:]
	}
	return object{"text": slackEscape(clip(p.Title, 150)), "blocks": blocks}
}

// teams builds an Adaptive Card from text runs, which Teams does not interpret
// as Markdown.
func (p NotifyParams) teams() object {
	run := func(text string, more object) object {
		inline := object{"type": "TextRun", "text": text}
		for k, v := range more {
			inline[k] = v
		}
		return object{"type": "RichTextBlock", "inlines": []object{inline}}
	}
	body := []object{run(p.Title, object{"weight": "bolder", "size": "large"})}
	if p.Text != "" {
		body = append(body, run(p.Text, nil))
	}
	for _, name := range sortedKeys(p.Fields) {
		body = append(body, run(name+": "+p.Fields[name], nil))
	}
	return object{"type": "message", "attachments": []object{{
		"contentType": "application/vnd.microsoft.card.adaptive",
		"content":     object{"type": "AdaptiveCard", "version": "1.4", "body": body},
	}}}
}

func clip(s string, runes int) string {
	if r := []rune(s); len(r) > runes {
		return string(r[:runes-1]) + "…"
	}
	return s
}

// slackEscape keeps text in Slack's fallback field from becoming links or
// mentions.
func slackEscape(s string) string { return slackMarkup.Replace(s) }

var slackMarkup = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
