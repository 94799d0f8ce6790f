// Package jobs runs chains of actions on sensors: durably, within the session
// slots that the EDR server grants, fairly, and awake to sensors that come
// online.
//
// A job is recorded before anybody is told that it was taken; each step is
// recorded before its request leaves and after it ended. Whatever dies, the next
// process finds in the records what may have happened, asks the EDR server what
// did happen, and goes on; a step that must not run twice and of which nobody
// can tell whether it ran ends its job as unknown, for a person to resolve.
//
// # Slots and claims
//
// Table is one record per EDR server that says who works on which sensor, under
// which epoch, with which session. A replica claims a sensor there before it
// touches it. A claim whose owner's heartbeat stands still is taken over: the new
// owner closes the old session first, and from then on the server refuses the old
// owner's commands.
//
// # Rooms
//
//	job                the words: job, states, reasons, steps, notices, stores
//	internal/order     which sensor is next: pure, in memory, without a lock
//	internal/run       one job on one sensor: chain, steps, attempts, recovery
//	internal/freshness how far the records have been seen
//	natsstore          the stores on NATS
//
// This package joins them. The dispatcher (dispatch.go) takes the next sensor from
// the order and starts a visit (visit.go), which claims the sensor (claims.go),
// opens a session (session.go) and has its jobs run in order (visit_run.go). The
// follower (follower.go) keeps the order in step with the store, the reconciler
// (reconciler.go) keeps the records of jobs that do not run, the poller
// (sensors.go) reads the sensors that jobs wait for.
package jobs
