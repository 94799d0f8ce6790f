package edrsim

import (
	"slices"
	"strings"
)

// numberGroups gives each group that has a name and no number a number of its own, so
// that groups of a fleet file stay apart.
func numberGroups(fleet []SensorSpec) []SensorSpec {
	fleet = slices.Clone(fleet)
	taken, numbers := map[int]bool{1: true}, map[string]int{}
	for _, s := range fleet {
		if s.GroupID > 0 {
			taken[s.GroupID] = true
			if s.Group != "" {
				numbers[strings.ToLower(s.Group)] = s.GroupID
			}
		}
	}
	next := 2
	for i := range fleet {
		s := &fleet[i]
		if s.GroupID > 0 || s.Group == "" {
			continue
		}
		key := strings.ToLower(s.Group)
		if numbers[key] == 0 && key == "default group" {
			numbers[key] = 1
		}
		for ; numbers[key] == 0; next++ {
			if !taken[next] {
				numbers[key], taken[next] = next, true
			}
		}
		s.GroupID = numbers[key]
	}
	return fleet
}
