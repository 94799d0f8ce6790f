package actions

import (
	"context"
	"strings"

	"edrpipe/pkg/edr"
)

// ListProcessesParams are the parameters of list_processes.
type ListProcessesParams struct {
	Name string `json:"name" doc:"only processes whose image has this file name"`
}

// ListProcessesOutput is the output of list_processes.
type ListProcessesOutput struct {
	Processes []edr.Process `json:"processes"`
	Count     int           `json:"count"`
}

var _ = Register(Definition[ListProcessesParams, ListProcessesOutput]{
	Is: Spec{
		Name:        "list_processes",
		Summary:     "List the processes that run on the endpoint",
		Class:       Repeatable,
		Powers:      []edr.Power{edr.PowerProcesses},
		Session:     true,
		Commands:    []string{"process list"},
		Permissions: []string{permitLiveResponse},
	},
	Do: func(ctx context.Context, t *Task, p ListProcessesParams) (ListProcessesOutput, error) {
		s, err := sessionWith[edr.Processes](ctx, t)
		if err != nil {
			return ListProcessesOutput{}, err
		}
		running, err := s.Processes(ctx)
		if err != nil {
			return ListProcessesOutput{}, err
		}
		out := ListProcessesOutput{Processes: []edr.Process{}}
		for _, r := range running {
			if p.Name == "" || strings.EqualFold(baseName(r.Path), p.Name) {
				out.Processes = append(out.Processes, r)
			}
		}
		out.Count = len(out.Processes)
		return out, nil
	},
})
