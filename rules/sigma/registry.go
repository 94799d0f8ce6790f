package sigma

import (
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// registry is a path below a root key, which Sysmon writes otherwise.
func (c *comparison) registry(path string, v *yaml.Node) (string, error) {
	value := v.Value
	low := strings.ToLower(value)
	if c.op == "" || c.op == "startswith" {
		for _, root := range []string{"hkcr", "hkcu", "hkey_"} {
			if strings.HasPrefix(low, root) {
				return "", refuse("TargetObject: neither Sysmon nor the EDR reports paths below %s", value[:len(root)])
			}
		}
		if strings.HasPrefix(low, `hku\`) {
			value = `HKEY_USERS\` + value[4:]
			low = low[4:]
		}
	}
	if slices.ContainsFunc([]string{"hku", "hkcr", "hkcu", "hkey_"}, func(root string) bool { return strings.Contains(low, root) }) {
		return "", refuse("TargetObject: root keys are written otherwise here, and %q may contain one", v.Value)
	}
	value, err := c.numberedControlSet(value)
	if err != nil {
		return "", err
	}
	copied := *v
	copied.Value = value
	return c.text(path, &copied)
}

// controlSet is CurrentControlSet, or the end of the word where a path is cut.
var controlSet = regexp.MustCompile(`(?i)(current)?controlset(\d|\?)?`)

// numberedControlSet writes a path as the EDR reports it: with the number of the
// control set, ControlSet001, which Sysmon calls CurrentControlSet.
func (c *comparison) numberedControlSet(value string) (string, error) {
	three := "???"
	if c.op == "re" {
		three = `\d\d\d`
	}
	var wrong error
	out := controlSet.ReplaceAllStringFunc(value, func(found string) string {
		low := strings.ToLower(found)
		whole := strings.HasPrefix(low, "current")
		switch {
		case !strings.HasSuffix(low, "t") && !whole: // ControlSet001 as it stands
			return found
		case !strings.HasSuffix(low, "t"):
			wrong = refuse("TargetObject: %q is not the name of a control set", value)
			return found
		case !whole && c.op == "re":
			wrong = refuse("TargetObject: a regular expression with a part of CurrentControlSet: write the whole word")
			return found
		}
		return "ControlSet" + three
	})
	return out, wrong
}

// details is a comparison with the data of a registry value, which the EDR does not
// report: it is read back from the endpoint, and compared before the last step.
func (m *mapping) details(c *comparison, values []*yaml.Node) (string, error) {
	for _, v := range values {
		if v.Tag == "!!null" || c.op == "exists" {
			return "", refuse("Details: whether there was data cannot be read back")
		}
	}
	compared, err := c.any(c.field.path, values)
	if err != nil {
		return "", err
	}
	m.reads = true
	switch {
	case !m.possible:
		return joined("&&", []string{written, compared}), nil
	case m.negated:
		return "false", nil
	}
	return written, nil
}

// written holds for events that have data to read back.
const written = `reg.action == "writeval"`

// readBack is the step that reads the value, and its output as conditions see it.
const (
	readBack     = "value"
	readBackText = "steps." + readBack + ".output.text"
)
