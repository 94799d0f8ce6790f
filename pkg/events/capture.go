package events

import (
	"encoding/json"
	"fmt"
)

// A Capture is a bus message as one line of a recording:
//
//	{"exchange":"api.events","routing_key":"watchlist.hit.process",
//	 "content_type":"application/json","headers":{},"body_b64":"eyJ…"}
type Capture struct {
	Exchange    string         `json:"exchange"`
	RoutingKey  string         `json:"routing_key"`
	ContentType string         `json:"content_type"`
	Headers     map[string]any `json:"headers"`
	Body        []byte         `json:"body_b64"`
}

// ParseCapture reads one line of a recording. A line without body_b64 is no
// capture.
func ParseCapture(line []byte) (Message, error) {
	var c struct {
		Capture
		Body *[]byte `json:"body_b64"`
	}
	if err := json.Unmarshal(line, &c); err != nil {
		return Message{}, fmt.Errorf("a captured bus message: %w", err)
	}
	if c.Body == nil {
		return Message{}, fmt.Errorf("a captured bus message has body_b64, this line has not")
	}
	c.Capture.Body = *c.Body
	return c.Message(), nil
}

// Message is the message as a source would deliver it.
func (c Capture) Message() Message {
	m := Message{
		Body: c.Body, ContentType: c.ContentType, Exchange: c.Exchange, RoutingKey: c.RoutingKey,
		Headers: make(map[string]string, len(c.Headers)),
	}
	for name, v := range c.Headers {
		if v != nil {
			m.Headers[name] = headerText(v)
		}
	}
	return m
}

// headerText writes a header's value as the text that Message carries.
func headerText(v any) string {
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		return fmt.Sprint(int64(f))
	}
	return fmt.Sprint(v)
}
