// Package jobs runs chains of actions on sensors: durably, within the session
// slots that the EDR server grants, fairly, and awake to sensors that come
// online. A job is recorded before anybody is told that it was taken; every
// step is recorded before and after it runs.
package jobs
