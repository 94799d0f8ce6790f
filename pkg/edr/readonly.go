package edr

// CommandClassifier is a Server that knows which of its commands change nothing on
// the endpoint. A command that it does not name, and every command of a server
// without this power, counts as one that changes something.
type CommandClassifier interface {
	ReadOnly(command string) bool
}
