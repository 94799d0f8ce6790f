package chain

import (
	"slices"

	"edrpipe/pkg/actions"
)

// Errors by which a step is tried again, in the words of retry.on.
const (
	Timeout     = "timeout"
	SensorBusy  = "sensor_busy"
	ServerError = "server_error"
)

// defaultTries is how often a step is tried again whose author said nothing.
const defaultTries = 2

// MayRetry reports whether a step is tried again after so many attempts, the last of
// which ended with an error of this name.
func MayRetry(st *actions.Step, attempts int, name string) bool {
	if st.Retry == nil {
		return attempts <= defaultTries
	}
	return attempts <= st.Retry.Max && (len(st.Retry.On) == 0 || slices.Contains(st.Retry.On, name))
}
