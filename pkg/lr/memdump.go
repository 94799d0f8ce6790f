package lr

import (
	"context"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// DumpMemory writes the machine's memory to a file on the sensor and returns its
// path there: with compress the sensor adds ".zip". progress receives the sensor's
// own figure, in per cent; finished dumps have been seen to report 0. A dump takes
// minutes to an hour.
func (s *Session) DumpMemory(ctx context.Context, path string, compress bool, progress func(percent int)) (string, error) {
	cmd := command{name: cmdMemdump, object: path, args: map[string]any{"compress": compress}, changes: true}
	if progress != nil {
		cmd.progress = func(c commandJSON) { progress(int(c.Percent)) }
	}
	done, err := s.run(ctx, cmd)
	if err != nil {
		return "", err
	}
	if done.ReturnCode != nil && *done.ReturnCode != 0 {
		w := s.whereOf(cmd)
		id := int64(done.ID)
		w.Command = &id
		c := liveresponse.Explain(uint32(*done.ReturnCode), s.os)
		return "", edr.NewResultError(w, uint32(*done.ReturnCode), string(done.Type), c.Name, "memory dump ended with a return code: "+c.Text, c.Is)
	}
	if compress && !strings.HasSuffix(strings.ToLower(path), ".zip") {
		path += ".zip"
	}
	return path, nil
}
