// Package nearest finds the known word closest to a misspelt one.
package nearest

import (
	"slices"
	"strings"
)

// Word returns the known word closest to got, or "" when none is close enough
// to be worth suggesting. Case does not count. Ties go to the word that sorts
// first, so that messages are the same on every run.
func Word(got string, known []string) string {
	best, bestDistance := "", limit(got)+1
	sorted := slices.Clone(known)
	slices.Sort(sorted)
	a := []rune(strings.ToLower(got))
	for _, word := range sorted {
		b := []rune(strings.ToLower(word))
		if len(b)-len(a) >= bestDistance || len(a)-len(b) >= bestDistance {
			continue
		}
		if d := distance(a, b); d < bestDistance {
			best, bestDistance = word, d
		}
	}
	if best == "" {
		return contained(string(a), sorted)
	}
	return best
}

// limit is how many edits a word of this length may be away.
func limit(got string) int { return min(max(len(got)/3, 1), 4) }

// contained finds the shortest known word that has got as a part or is a part
// of it at a word boundary: hash for ban_hash.
func contained(got string, sorted []string) string {
	best := ""
	if len(got) < 3 {
		return best
	}
	for _, word := range sorted {
		if !strings.Contains(strings.ToLower(word), got) {
			continue
		}
		if best == "" || len(word) < len(best) {
			best = word
		}
	}
	return best
}

// distance counts insertions, deletions, substitutions and swaps of neighbours
// (optimal string alignment).
func distance(a, b []rune) int {
	before := make([]int, len(b)+1)
	above := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
