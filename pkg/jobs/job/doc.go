// Package job holds the words of package jobs: the job as it is recorded, its
// states and reasons, its steps, what consumers of the bus are told of it, and the
// stores that keep all this. It is a leaf, so that each room of the scheduler and
// each store knows the words without knowing the scheduler.
//
// # States of a job
//
// Each transition is a compare-and-set on the job's record, and is reported.
//
//	held      -> queued parked held skipped cancelled denied expired
//	queued    -> running parked held failed cancelled expired denied
//	parked    -> queued running held failed cancelled expired denied
//	running   -> queued parked held succeeded shadowed skipped failed cancelled denied unknown
//	succeeded -> end
//	shadowed  -> end
//	skipped   -> end
//	failed    -> end
//	cancelled -> end
//	denied    -> end
//	expired   -> end
//	unknown   -> end
//
// Held jobs wait for people, parked ones for a sensor or a time, queued ones for
// their turn. A shadowed job only recorded what it would have done, and of a skipped
// one no step's condition held. A retry, and what a person resolves, is a new job that goes on
// where the old one stopped.
package job
