package sigma

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// hasSignature is Sysmon's Signed: the image has a signature, whatever it is worth.
const hasSignature = `(image.signed || !(image.sign_result in ["", "Unsigned"]))`

// version is a comparison with a text of the image's version resource. Sysmon writes -
// or ? where there is none, and the EDR nothing.
func (c *comparison) version(path string, v *yaml.Node) (string, error) {
	if text, plain := parsePattern(v.Value).literal(); plain && c.op == "" && (text == "-" || text == "?") {
		return "", refuse("%s: %s is what Sysmon writes where there is none; write null", c.name, text)
	}
	return c.text(path, v)
}

func (c *comparison) signed(path string, v *yaml.Node) (string, error) {
	switch strings.ToLower(v.Value) {
	case "true":
		if c.op == "" {
			return path, nil
		}
	case "false":
		if c.op == "" {
			return negation(path), nil
		}
	}
	return "", refuse("%s can only be compared with true, false", c.name)
}
