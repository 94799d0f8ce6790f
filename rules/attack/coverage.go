package attack

import (
	"slices"
	"strings"
)

// Rule is what coverage needs of a rule.
type Rule struct {
	ID   string
	Tags []string
}

// Coverage is what rules say that they answer.
type Coverage struct {
	Version    string           `json:"attack"` // of the matrix
	Techniques []Covered        `json:"techniques"`
	Tactics    []TacticCoverage `json:"tactics"`
	Untagged   []string         `json:"untagged"` // rules that name no technique
}

// Covered is a technique with the rules that name it.
type Covered struct {
	ID    string   `json:"id"`
	Rules []string `json:"rules"`
}

// TacticCoverage is how many techniques of a tactic rules name, themselves or by one of
// their sub-techniques.
type TacticCoverage struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Covered []string `json:"covered"`
	Missing []string `json:"missing"`
}

// Coverage counts what the rules name.
func (m *Matrix) Coverage(rules []Rule) Coverage {
	c := Coverage{Version: m.Version, Techniques: []Covered{}, Untagged: []string{}}
	by := map[string][]string{}
	for _, r := range rules {
		named := false
		for _, tag := range r.Tags {
			if id, ok := m.Technique(tag); ok && !slices.Contains(by[id], r.ID) {
				by[id], named = append(by[id], r.ID), true
			}
		}
		if !named {
			c.Untagged = append(c.Untagged, r.ID)
		}
	}
	whole := map[string]bool{}
	for _, id := range m.Techniques() {
		if len(by[id]) > 0 {
			c.Techniques = append(c.Techniques, Covered{id, by[id]})
			of, _, _ := strings.Cut(id, ".")
			whole[of] = true
		}
	}
	for _, t := range m.Tactics {
		c.Tactics = append(c.Tactics, m.tactic(t, whole))
	}
	return c
}

func (m *Matrix) tactic(t Tactic, covered map[string]bool) TacticCoverage {
	tc := TacticCoverage{ID: t.ID, Name: t.Name, Covered: []string{}, Missing: []string{}}
	for _, id := range m.Techniques() {
		switch {
		case strings.Contains(id, ".") || !slices.Contains(m.techniques[id], t.Name):
		case covered[id]:
			tc.Covered = append(tc.Covered, id)
		default:
			tc.Missing = append(tc.Missing, id)
		}
	}
	return tc
}

// Layer is a layer of the ATT&CK Navigator, in its file format 4.5.
type Layer struct {
	Name       string           `json:"name"`
	Versions   LayerVersions    `json:"versions"`
	Domain     string           `json:"domain"`
	Techniques []LayerTechnique `json:"techniques"`
	Gradient   LayerGradient    `json:"gradient"`
}

// LayerVersions are the versions that a layer was made for.
type LayerVersions struct {
	Attack string `json:"attack"` // the number before the dot
	Layer  string `json:"layer"`
}

// LayerTechnique is a technique that is coloured.
type LayerTechnique struct {
	ID      string `json:"techniqueID"`
	Score   int    `json:"score"`   // how many rules name it
	Comment string `json:"comment"` // which
}

// LayerGradient says which colours the scores have.
type LayerGradient struct {
	Colors   []string `json:"colors"`
	MinValue int      `json:"minValue"`
	MaxValue int      `json:"maxValue"`
}

// Layer shows the coverage in the Navigator.
func (c Coverage) Layer(name string) Layer {
	major, _, _ := strings.Cut(c.Version, ".")
	l := Layer{
		Name: name, Versions: LayerVersions{Attack: major, Layer: "4.5"}, Domain: "enterprise-attack",
		Techniques: []LayerTechnique{}, Gradient: LayerGradient{Colors: []string{"#cfe8ff", "#08519c"}, MinValue: 1, MaxValue: 1},
	}
	for _, t := range c.Techniques {
		l.Techniques = append(l.Techniques, LayerTechnique{t.ID, len(t.Rules), strings.Join(t.Rules, ", ")})
		l.Gradient.MaxValue = max(l.Gradient.MaxValue, len(t.Rules))
	}
	return l
}
