package lr

import "edrpipe/pkg/edr"

var _ edr.CommandClassifier = (*Client)(nil)

// readOnly lists the commands that do not change the endpoint.
var readOnly = map[string]bool{
	"get file": true, "directory list": true, "process list": true, "reg enum key": true, "reg query value": true,
}

// ReadOnly implements edr.CommandClassifier.
func (c *Client) ReadOnly(command string) bool { return readOnly[command] }
