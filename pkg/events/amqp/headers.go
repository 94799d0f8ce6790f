package amqp

import (
	"strconv"

	"github.com/rabbitmq/amqp091-go"
)

// maxHeaders bounds what is taken over from a message; the EDR server sends four.
const maxHeaders = 32

// headers are a message's scalar headers as text: numbers come in any width.
func headers(t amqp091.Table) map[string]string {
	if len(t) == 0 {
		return nil
	}
	out := make(map[string]string, len(t))
	for k, v := range t {
		if text, ok := scalar(v); ok && len(out) < maxHeaders {
			out[k] = text
		}
	}
	return out
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	case bool:
		return strconv.FormatBool(v), true
	case int8:
		return strconv.FormatInt(int64(v), 10), true
	case byte:
		return strconv.FormatUint(uint64(v), 10), true
	case int16:
		return strconv.FormatInt(int64(v), 10), true
	case int32:
		return strconv.FormatInt(int64(v), 10), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case int:
		return strconv.Itoa(v), true
	case float32:
		return strconv.FormatFloat(float64(v), 'f', -1, 32), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false // tables, lists, times, void
}
