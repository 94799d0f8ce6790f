// Package job holds the vocabulary of package jobs: the job's record, its states and
// reasons, its steps, its notices on the bus, and the interfaces of the stores. It is a
// leaf, which the scheduler's packages and the stores import instead of the scheduler.
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
