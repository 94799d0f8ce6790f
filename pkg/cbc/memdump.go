package cbc

import (
	"context"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// DumpMemory writes the machine's memory to a file on the device and returns its path
// there: with compress the device adds ".zip". progress receives the device's own
// figure, in per cent. A dump takes minutes to an hour.
func (s *Session) DumpMemory(ctx context.Context, path string, compress bool, progress func(percent int)) (string, error) {
	cmd := command{name: cmdMemdump, path: path, args: map[string]any{"compress": compress}, changes: true, poll: dumpPoll}
	if progress != nil {
		cmd.progress = func(c commandJSON) { progress(int(c.Percent)) }
	}
	done, err := s.run(ctx, cmd)
	if err != nil {
		return "", err
	}
	if done.ReturnCode != nil && *done.ReturnCode != 0 {
		return "", s.dumpFailed(cmd, done)
	}
	if compress && !strings.HasSuffix(strings.ToLower(path), ".zip") {
		path += ".zip"
	}
	return path, nil
}

// dumpFailed explains a dump that ended with a return code.
func (s *Session) dumpFailed(cmd command, done commandJSON) error {
	w := s.whereOf(cmd)
	id := int64(done.ID)
	w.Command = &id
	c := liveresponse.Explain(uint32(*done.ReturnCode), s.os)
	return edr.NewResultError(w, uint32(*done.ReturnCode), string(done.Type), c.Name, "memory dump ended with a return code: "+c.Text, c.Is)
}
