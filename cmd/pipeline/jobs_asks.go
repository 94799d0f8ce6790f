package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"edrpipe/internal/printable"
	"edrpipe/internal/web"
)

// printAsks prints what people are asked: the call with every argument, and its digest.
func printAsks(w io.Writer, asks []web.Asked) {
	for _, a := range asks {
		what := "this job"
		if a.Step != "" {
			what = "step " + a.Step + ": " + a.Uses
		}
		fmt.Fprintf(w, "asks: %s, %d of %d agreed\n", printable.Line(what), a.Given, a.Need)
		for _, name := range slices.Sorted(maps.Keys(a.With)) {
			value := a.With[name]
			text, err := json.Marshal(value)
			if err != nil {
				text = []byte(err.Error())
			}
			fmt.Fprintf(w, "  %s: %s\n", printable.Line(name), printable.Line(string(text)))
		}
		if len(a.Unknown) > 0 {
			fmt.Fprintf(w, "  not known yet: %s\n", printable.Line(strings.Join(a.Unknown, ", ")))
		}
		if a.Digest != "" {
			fmt.Fprintf(w, "  call: %s\n", printable.Line(a.Digest))
		}
	}
}
