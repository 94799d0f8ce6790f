package main

import (
	"io"
	"path/filepath"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// writeSARIF writes what checking found as SARIF 2.1.0, which code hosts show beside
// the lines of a merge request.
func (r checkReport) writeSARIF(w io.Writer) error {
	report := sarif.NewReport()
	run := sarif.NewRunWithInformationURI("edrpipe", "")
	run.Tool.Driver.InformationURI = nil // it is optional
	run.Tool.Driver.WithVersion(version)
	for _, p := range r.Problems {
		rule, level := "mistake", "error"
		if p.Warning {
			rule, level = "warning", "warning"
		}
		run.AddRule(rule)
		message := p.Message
		if p.Hint != "" {
			message += "\n" + p.Hint
		}
		place := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation(filepath.ToSlash(p.File)))
		if p.Line > 0 {
			region := sarif.NewRegion().WithStartLine(p.Line)
			if p.Column > 0 {
				region.WithStartColumn(p.Column).WithEndColumn(p.Column + max(p.Length, 1))
			}
			place.WithRegion(region)
		}
		run.CreateResultForRule(rule).WithLevel(level).WithMessage(sarif.NewTextMessage(message)).
			WithLocations([]*sarif.Location{sarif.NewLocationWithPhysicalLocation(place)})
	}
	report.AddRun(run)
	return report.PrettyWrite(w)
}
