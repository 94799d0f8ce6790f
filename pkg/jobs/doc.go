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
// # Order of things
//
// The dispatcher (dispatch.go) asks choose (choose.go, ranking.go) for the next
// sensor and starts a visit (visit.go), which claims the sensor, opens a session
// (session.go) and runs the sensor's jobs in order: a job (execute.go), its chain
// (chain.go), its steps (step.go), an action that is tried (attempt.go) and tried
// again (retry.go), each recorded (checkpoint.go). What was interrupted is settled
// in recover.go. The reconciler (clerk.go) keeps the records of jobs that do not run;
// sensors.go reads the sensors that jobs wait for.
package jobs
