package rules

import (
	"os"

	"edrpipe/pkg/strictyaml"
)

// At is a problem at a place below the rule, in the file that it was loaded from. The
// file is read again: places are asked for only where something is wrong.
func (r *Rule) At(path strictyaml.Path, message string) strictyaml.Problem {
	problem := strictyaml.Problem{File: r.File, Line: r.Line, Message: "rule " + r.ID + ": " + message}
	data, err := os.ReadFile(r.File)
	if err != nil {
		return problem
	}
	file, problems := strictyaml.Parse(r.File, data)
	if len(problems) > 0 {
		return problem
	}
	for _, doc := range file.Documents {
		var written fileDocument
		doc.Decode(&written)
		for i := range written.Rules {
			if written.Rules[i].ID == r.ID {
				below := strictyaml.Path("rules").Index(i)
				return doc.At(below+"."+path, message)
			}
		}
	}
	return problem
}
