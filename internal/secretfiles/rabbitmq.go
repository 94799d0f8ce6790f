package secretfiles

import (
	"encoding/json"
	"path/filepath"
)

// definitionsFile makes a fresh RabbitMQ look like an EDR server's: its user, and
// the exchanges that it publishes on.
const (
	definitionsFile = "rabbitmq-definitions.json"
	rabbitUser      = "cb"
)

func rabbitDefinitions(dir, password string) error {
	type object map[string]any
	exchange := func(name, kind string) object {
		return object{"name": name, "vhost": "/", "type": kind, "durable": true, "auto_delete": false, "internal": false, "arguments": object{}}
	}
	data, err := json.MarshalIndent(object{
		"users":       []object{{"name": rabbitUser, "password": password, "tags": "administrator"}},
		"vhosts":      []object{{"name": "/"}},
		"permissions": []object{{"user": rabbitUser, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}},
		"exchanges":   []object{exchange("api.events", "topic"), exchange("api.rawsensordata", "fanout")},
	}, "", "  ")
	if err != nil {
		return err
	}
	return write(filepath.Join(dir, definitionsFile), string(data)+"\n")
}
