// Package run runs one job on one sensor: its chain (chain.go), its steps (step.go),
// an action that is tried (attempt.go) and tried again (retry.go), each recorded
// before its request leaves and after it ended (checkpoint.go). What was
// interrupted is settled first (recover.go).
//
// A run knows its scheduler by a Config of functions, and the sensor by a Place: a
// claim with a session. Each command is checked against the claim at the moment
// that it leaves.
package run
