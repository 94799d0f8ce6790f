package manual

import (
	"maps"
	"slices"
	"strings"
)

// found is how many places a search shows.
const found = 100

// search finds headings that have all words of the query; with their page's title, a
// word may be in either.
func (m *Manual) search(query string) shown {
	s := shown{Title: "Search", Query: query, Searched: true}
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 0 {
		return s
	}
	for _, name := range slices.Sorted(maps.Keys(m.pages)) {
		p := m.pages[name]
		for _, h := range p.headings {
			title := p.title
			if h.text != p.title {
				title += ": " + h.text
			}
			if has(title, words) && len(s.Links) < found {
				s.Links = append(s.Links, link{Title: title, Address: "/" + name + "#" + h.id})
			}
		}
	}
	return s
}

func has(text string, words []string) bool {
	text = strings.ToLower(text)
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}
