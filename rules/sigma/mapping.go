package sigma

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// mapping converts the items of one search.
type mapping struct {
	*detection
	outbound bool // the search wants connections begun by the sensor's side
}

// item converts one field with its modifiers and values.
func (m *mapping) item(key string, node *yaml.Node) (string, error) {
	name, rest, _ := strings.Cut(key, "|")
	if name == "" {
		return "", refuse("it searches all fields: say which field")
	}
	f, ok := m.source.fields[name]
	if !ok {
		return "", &lacking{name, m.source.kind}
	}
	var mods []string
	if rest != "" {
		mods = strings.Split(rest, "|")
	}
	values, err := valuesOf(node)
	if err != nil {
		return "", err
	}
	c, err := newComparison(name, f, mods)
	if err != nil {
		return "", err
	}
	switch {
	case c.fieldref && c.expand:
		return "", refuse("%s has both |fieldref and |expand", name)
	case c.fieldref:
		return m.otherField(c, values)
	case c.expand:
		return m.placeholders(c, values)
	case f.kind == hashesField && len(values) >= longList && !c.all && !c.neq:
		return m.longHashes(c, f.path, values)
	case f.kind == detailsField:
		return m.details(c, values)
	}
	if f.folded && m.windows && c.minds(values) {
		return "", refuse("%s: the EDR reports paths of Windows in lower case, and this comparison minds the case: use |re|i, or leave |cased out", name)
	}
	if name == "DestinationHostname" && !m.outbound {
		return "", refuse("DestinationHostname of a connection from outside is our own name, which the event lacks: add Initiated: 'true'")
	}
	if list, ok := m.long(c, f.path, values); ok {
		return list, nil
	}
	if f.inbound == "" {
		return c.any(f.path, values)
	}
	return m.bothWays(c, f, values)
}

// bothWays writes a condition on Sysmon's source or destination out for both
// directions.
func (m *mapping) bothWays(c *comparison, f field, values []*yaml.Node) (string, error) {
	out, err := c.any(f.path, values)
	if err != nil || m.outbound {
		return out, err
	}
	in, err := c.any(f.inbound, values)
	return `(net.direction == "outbound" && ` + out + ` || net.direction == "inbound" && ` + in + ")", err
}

// valuesOf are the values of an item: one, or a list.
func valuesOf(node *yaml.Node) ([]*yaml.Node, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		return []*yaml.Node{node}, nil
	case yaml.SequenceNode:
		for _, n := range node.Content {
			if n.Kind != yaml.ScalarNode {
				return nil, refuse("a list of values has something else in it")
			}
		}
		if len(node.Content) > 0 {
			return node.Content, nil
		}
		return nil, refuse("a list of values is empty")
	}
	return nil, refuse("a field has neither a value nor a list of values")
}

// comparison is how an item compares its field with each value.
type comparison struct {
	name     string
	field    field
	op       string // "", contains, startswith, endswith, re, cidr, exists, lt, lte, gt, gte
	all      bool
	cased    bool
	neq      bool
	expand   bool   // the values are placeholders
	fieldref bool   // the values are names of fields
	flags    string // of a regular expression
	forms    []func(string) ([]string, error)
}

var orders = map[string]string{"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}

func newComparison(name string, f field, mods []string) (*comparison, error) {
	c := &comparison{name: name, field: f}
	for _, mod := range mods {
		switch mod {
		case "contains", "startswith", "endswith", "re", "cidr", "exists", "lt", "lte", "gt", "gte":
			if c.op != "" {
				return nil, refuse("%s has both |%s and |%s", name, c.op, mod)
			}
			c.op = mod
		case "all":
			c.all = true
		case "cased":
			c.cased = true
		case "neq":
			c.neq = true
		case "fieldref":
			c.fieldref = true
		case "expand":
			c.expand = true
		case "i", "m", "s":
			if c.op != "re" {
				return nil, refuse("%s has |%s without |re before it", name, mod)
			}
			c.flags += mod
		default:
			form, ok := encodings[mod]
			if !ok {
				return nil, refuse("modifier |%s of %s is not understood", mod, name)
			}
			c.forms = append(c.forms, form)
		}
	}
	if !c.field.kind.text() && (len(c.forms) > 0 || c.cased) {
		return nil, refuse("%s is not a text: its modifiers do not apply", name)
	}
	if slices.Contains([]string{"re", "cidr", "exists", "lt", "lte", "gt", "gte"}, c.op) && (len(c.forms) > 0 || c.cased) {
		return nil, refuse("%s: |%s compares no text that could be encoded or cased", name, c.op)
	}
	return c, nil
}

// minds reports whether a comparison with one of the values depends on the case
// of the field's text.
func (c *comparison) minds(values []*yaml.Node) bool {
	if c.op != "re" {
		return c.cased
	}
	return !strings.Contains(c.flags, "i") && slices.ContainsFunc(values, func(v *yaml.Node) bool {
		letters := classes.ReplaceAllString(v.Value, "")
		return !strings.HasPrefix(v.Value, "(?i)") && strings.ToLower(letters) != strings.ToUpper(letters)
	})
}

// classes are the escapes of regular expressions that stand for either case.
var classes = regexp.MustCompile(`\\[dDsSwWbB]`)

// any is the condition that one value fits (all of them with |all).
func (c *comparison) any(path string, values []*yaml.Node) (string, error) {
	if c.op == "" && !c.all && !c.neq && len(c.forms) == 0 && len(values) > 1 {
		if list, ok := c.list(path, values); ok {
			return list, nil
		}
	}
	var parts []string
	for _, v := range values {
		p, err := c.one(path, v)
		if err != nil {
			return "", err
		}
		if c.neq {
			p = "!(" + p + ")"
		}
		parts = append(parts, p)
	}
	if c.all != c.neq {
		return joined("&&", parts), nil
	}
	return joined("||", parts), nil
}

// list is plain texts or numbers as one operand of in.
func (c *comparison) list(path string, values []*yaml.Node) (string, bool) {
	var items []string
	for _, v := range values {
		switch c.field.kind {
		case textField, detailsField, versionField:
			p := parsePattern(v.Value)
			text, plain := p.literal()
			if v.Tag == "!!null" || !plain || text == "" || c.field.kind == versionField && (text == "-" || text == "?") {
				return "", false
			}
			items = append(items, quote(text))
		case intField:
			if _, err := strconv.Atoi(v.Value); err != nil {
				return "", false
			}
			items = append(items, v.Value)
		default:
			return "", false
		}
	}
	list := "[" + strings.Join(items, ", ") + "]"
	if c.field.kind == intField || c.cased {
		return path + " in " + list, true
	}
	return "iin(" + path + ", " + list + ")", true
}

// one is the condition that one value fits.
func (c *comparison) one(path string, v *yaml.Node) (string, error) {
	if c.op == "exists" {
		return c.exists(path, v)
	}
	switch c.field.kind {
	case accessField:
		return c.access(path, v)
	case intField:
		return c.number(path, v)
	case protocolField:
		return c.word(path, v, map[string]string{"tcp": "tcp", "udp": "udp"})
	case initiatedField:
		return c.word(path, v, map[string]string{"true": "outbound", "false": "inbound"})
	case actionField:
		return c.word(path, v, map[string]string{"setvalue": "writeval", "createkey": "createkey", "deletekey": "delkey", "deletevalue": "delval"})
	case hashesField:
		return c.hash(path, v)
	case registryField:
		return c.registry(path, v)
	case versionField:
		return c.version(path, v)
	case signedField:
		return c.signed(path, v)
	}
	return c.text(path, v)
}

func (c *comparison) exists(path string, v *yaml.Node) (string, error) {
	if !c.field.kind.text() {
		return "", refuse("%s|exists: 0 and missing are the same in our events", c.name)
	}
	switch strings.ToLower(v.Value) {
	case "true", "yes":
		return path + ` != ""`, nil
	case "false", "no":
		return path + ` == ""`, nil
	}
	return "", refuse("%s|exists is true or false, not %q", c.name, v.Value)
}

func (c *comparison) number(path string, v *yaml.Node) (string, error) {
	base := 10
	if c.field.kind == accessField {
		base = 0 // 0x1410
	}
	n, err := strconv.ParseInt(v.Value, base, 64)
	if err != nil {
		return "", refuse("%s is a number here, and %q is not one", c.name, v.Value)
	}
	op := "=="
	if c.op != "" {
		op = orders[c.op]
	}
	if op == "" {
		return "", refuse("%s is a number here: |%s compares text", c.name, c.op)
	}
	return path + " " + op + " " + strconv.FormatInt(n, 10), nil
}

// word is one of a few words, which our events spell otherwise.
func (c *comparison) word(path string, v *yaml.Node, words map[string]string) (string, error) {
	ours, ok := words[strings.ToLower(v.Value)]
	if c.op != "" || !ok {
		return "", refuse("%s can only be compared with %s", c.name, strings.Join(sorted(words), ", "))
	}
	return path + " == " + quote(ours), nil
}

func sorted(words map[string]string) []string {
	var all []string
	for w := range words {
		all = append(all, w)
	}
	slices.Sort(all)
	return all
}

// hash is MD5=… or SHA256=… in Sysmon's list of hashes: contained in it, exactly
// if the image has that hash.
func (c *comparison) hash(path string, v *yaml.Node) (string, error) {
	algorithm, hex, ok := strings.Cut(strings.ToLower(v.Value), "=")
	length := map[string]int{"md5": 32, "sha256": 64}[algorithm]
	switch {
	case !ok || length == 0:
		return "", refuse("Hashes: our events have MD5 and SHA-256, not %q", v.Value)
	case c.op != "contains" || len(hex) != length:
		return "", refuse("Hashes: only |contains of a whole hash can be said")
	}
	return path + "." + algorithm + " == " + quote(hex), nil
}
