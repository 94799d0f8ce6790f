// Package telemetry is what the service measures of itself: Prometheus metrics
// with bounded labels, and traces from event to last step.
package telemetry
