package sigma

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// accessDigits is how many hexadecimal digits a mask of access rights can have.
const accessDigits = 8

// access is a comparison with a mask of access rights, which Sysmon writes as text
// like 0x1410: digits at its end, beginning or anywhere are digits of our number.
func (c *comparison) access(path string, v *yaml.Node) (string, error) {
	if c.op != "endswith" && c.op != "contains" && c.op != "startswith" {
		return c.number(path, v)
	}
	text := strings.ToLower(v.Value)
	digits := strings.TrimPrefix(text, "0x")
	value, err := strconv.ParseUint(digits, 16, 32)
	switch {
	case text == "0" && c.op == "contains":
		return "", refuse("%s: every value has the 0 of 0x", c.name)
	case err != nil || len(digits) > accessDigits:
		return "", refuse("%s: %q is not a run of hexadecimal digits", c.name, v.Value)
	case digits != text && len(digits) > 1 && digits[0] == '0':
		return "", refuse("%s: Sysmon writes no zero after 0x, as in %q", c.name, v.Value)
	case digits != text && c.op == "endswith":
		return fmt.Sprintf("%s == %d", path, value), nil
	case digits != text:
		return leading(path, value, len(digits)), nil
	case c.op == "startswith":
		return "", refuse("%s: every value begins with 0x: write |startswith with it", c.name)
	case c.op == "endswith":
		return digitsAt(path, value, len(digits), 0), nil
	}
	var parts []string
	for at := 0; at+len(digits) <= accessDigits; at++ {
		parts = append(parts, digitsAt(path, value, len(digits), at))
	}
	return joined("||", parts), nil
}

// leading: the number begins with these digits.
func leading(path string, value uint64, n int) string {
	if value == 0 { // 0x0 is the only number that begins with a zero
		return path + " == 0"
	}
	var parts []string
	for rest := 0; n+rest <= accessDigits; rest++ {
		first := value << (4 * rest)
		last := first + 1<<(4*rest) - 1
		if first == last {
			parts = append(parts, fmt.Sprintf("%s == %d", path, first))
			continue
		}
		parts = append(parts, fmt.Sprintf("%s >= %d && %s <= %d", path, first, path, last))
	}
	return joined("||", parts)
}

// digitsAt: the n digits before the last at ones are those of value. Digits that
// begin with zeros must be there: a number is written without leading zeros.
func digitsAt(path string, value uint64, n, at int) string {
	low, unit := uint64(1)<<(4*at), uint64(1)<<(4*(at+n))
	part := fmt.Sprintf("%s %% %d", path, unit)
	var cond string
	if low == 1 {
		cond = fmt.Sprintf("%s == %d", part, value)
	} else {
		cond = fmt.Sprintf("%s >= %d && %s < %d", part, value*low, part, (value+1)*low)
	}
	if least := unit / 16; value*low < least && !(value == 0 && n == 1 && at == 0) {
		cond += fmt.Sprintf(" && %s >= %d", path, least)
	}
	return "(" + cond + ")"
}
