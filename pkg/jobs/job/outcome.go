package job

import "fmt"

// Outcome is how a job ends whose chain came to its end without a failure: as
// succeeded only if a step did something, else as shadowed or skipped.
func (j *Job) Outcome() Move {
	ran, recorded := 0, 0
	var shadowed, skipped *StepRecord
	for i := range j.Done {
		r := &j.Done[i]
		switch {
		case r.Uses == "" || r.Item == 0 && j.hasItems(r.ID):
			// a parallel block or a foreach as a whole: its parts have records of their own
		case r.State != StepSkipped:
			ran++
		case r.Reason == ReasonShadow:
			recorded++
			if shadowed == nil {
				shadowed = r
			}
		case skipped == nil:
			skipped = r
		}
	}
	switch {
	case ran > 0 && recorded > 0:
		return Move{To: Succeeded, Reason: ReasonShadow, Detail: fmt.Sprintf("%d steps ran, %d were only recorded: %s", ran, recorded, shadowed.whyShadowed(j))}
	case ran > 0:
		return Move{To: Succeeded}
	case shadowed != nil:
		return Move{To: Shadowed, Reason: ReasonShadow, Detail: shadowed.whyShadowed(j)}
	case skipped != nil:
		return Move{To: Skipped, Reason: ReasonCondition, Detail: "no step's condition held: " + skipped.Error}
	}
	return Move{To: Skipped, Reason: ReasonCondition, Detail: "no step had anything to act on"}
}

// hasItems reports whether a step has run once for each item of a list.
func (j *Job) hasItems(id string) bool {
	for i := range j.Done {
		if j.Done[i].ID == id && j.Done[i].Item > 0 {
			return true
		}
	}
	return false
}

// whyShadowed says why the step was only recorded.
func (r *StepRecord) whyShadowed(j *Job) string {
	if r.Error != "" {
		return r.Error
	}
	if j.Rule == "" {
		return "the job was submitted as a dry run"
	}
	return "the rule is in shadow mode"
}
