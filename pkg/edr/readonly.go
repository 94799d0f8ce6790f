package edr

// CommandClassifier is a Server that classifies its read-only commands. An unlisted
// command, and every command of a server without this power, counts as changing the
// endpoint.
type CommandClassifier interface {
	ReadOnly(command string) bool
}
