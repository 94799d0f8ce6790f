package format

import (
	"slices"

	"gopkg.in/yaml.v3"
)

// blankLines leaves at most one blank line in a row, none at the beginning, and one
// between the rules or tests at the top of a file.
func blankLines(p *page) {
	between := map[int]bool{} // indices of lines that need a blank line before them
	for _, d := range p.documents {
		if !isBlockMapping(d) {
			continue
		}
		for i := 0; i+1 < len(d.Content); i += 2 {
			if list := d.Content[i+1]; list.Kind == yaml.SequenceNode && !isFlow(list) && slices.Contains([]string{"rules", "tests"}, d.Content[i].Value) {
				p.separate(list, between)
			}
		}
	}
	var kept []string
	for i, line := range p.lines {
		above := len(kept) == 0 || isBlank(kept[len(kept)-1])
		if isBlank(line) && above && !p.inside[i] {
			continue
		}
		if between[i] && !above {
			kept = append(kept, "")
		}
		kept = append(kept, line)
	}
	p.lines = kept
}

// separate notes where the items of a list begin, each with the comments above it.
func (p *page) separate(list *yaml.Node, between map[int]bool) {
	for i, item := range list.Content {
		if i == 0 || !isBlockMapping(item) || len(item.Content) == 0 {
			continue
		}
		at := item.Content[0].Line - 1
		column := indentation(p.lines[at])
		for at > 0 && !p.inside[at-1] && isComment(p.lines[at-1]) && indentation(p.lines[at-1]) <= column {
			at--
		}
		between[at] = true
	}
}
