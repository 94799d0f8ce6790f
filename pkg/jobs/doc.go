// Package jobs is a durable scheduler: it runs chains of actions on sensors, within the
// session slots that the EDR server grants, fairly, and as sensors come online.
//
// A job is recorded before it is acknowledged; each step is recorded before its request
// is sent and after its end. After a crash the next process reads from the records what
// may have happened, reads from the EDR server what did happen, and resumes. A step that
// must not run twice and whose outcome cannot be determined ends its job as unknown, for
// a person to resolve.
//
// # Slots and claims
//
// Table is one record per EDR server with the claim of each sensor in work: its owner,
// epoch and session. A replica claims a sensor before it opens a session. A claim whose
// owner's heartbeat has stopped is taken over: the new owner closes the old session
// first, and from then on the server refuses the old owner's commands. The session id is
// the fencing token.
//
// # Rooms
//
//	job                the words: job, states, reasons, steps, notices, stores
//	internal/order     which sensor is next: pure, in memory, without a lock
//	internal/run       one job on one sensor: chain, steps, attempts, recovery
//	internal/freshness how far the records have been seen
//	natsstore          the stores on NATS
//
// This package joins them. What its parts share in memory is the board (board.go), under
// one lock. The dispatcher (dispatch.go) takes the next sensor from the order and starts
// a visit (visit.go), which claims the sensor (claims.go), opens a session (session.go)
// and has its jobs run in order (visit_run.go); slots (slots.go, backpressure.go) decides
// who has a session. The follower (follower.go) keeps the board in step with the store,
// the records (record.go) are changed and reported in one place, the reconciler
// (reconciler.go) keeps those of jobs that do not run, and the poller (sensors.go) reads
// the sensors that jobs wait for. The Scheduler has what callers use.
package jobs
