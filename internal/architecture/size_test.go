package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Beyond these a type has more than one idea, or large says why it has one.
const (
	mostMethods = 40
	mostFields  = 20
)

// large are the types beyond the limits, with the one idea that each of them has.
var large = map[string]string{
	// Records: a field for each fact.
	"pkg/events.Event":           "what any message may carry; rule authors name its fields",
	"pkg/events.Sensor":          "an endpoint's facts; rule authors name its fields",
	"pkg/events.Alert":           "an alert's facts; rule authors name its fields",
	"pkg/jobs/job.Job":           "a job's record",
	"pkg/jobs.Config":            "what a scheduler takes from those who make one",
	"rules.Rule":                 "a compiled rule, as the keys of its file",
	"rules.ruleDocument":         "the keys of a rule in its file",
	"internal/web.JobLine":       "a line of the job list, as its JSON",
	"internal/telemetry.Metrics": "a field a metric",
	"internal/config.Config":     "the configuration: a field a section of pipeline.yaml",
	"pkg/cbc.commandJSON":        "a command's record in the API of Carbon Black Cloud",
	"pkg/edrsim.wireSensor":      "a sensor's record in the API of Carbon Black EDR",
	"pkg/edrsim.behaviour":       "a field a fault or quirk of the simulator",
	// A method for each request of an API, or for each action.
	"pkg/lr.Client":            "a method for each request to a Carbon Black EDR server",
	"pkg/lr.Session":           "a method for each command of Live Response",
	"pkg/cbc.Client":           "a method for each request to Carbon Black Cloud",
	"pkg/cbc.Session":          "a method for each command of Live Response",
	"pkg/edrsim.Server":        "a handler for each request that Carbon Black EDR answers",
	"pkg/edrsim.cloud":         "a handler for each request that Carbon Black Cloud answers",
	"internal/fixtures.maker":  "a method for each message type that is made",
	"internal/console.Console": "a method for each page, list and action of people, in a file for each page",
	// State with one owner.
	"pkg/jobs.visit":                  "work on one sensor in one goroutine: claim, session, jobs; ten of its methods are run.Place",
	"pkg/jobs/internal/run.Execution": "a run of one job in one goroutine; its methods are the moments of a step",
	"internal/service.Service":        "opens, joins and closes every part: a field a part, and methods that open it",
}

// TestTypesHaveOneIdea holds the number of methods and fields of every type.
func TestTypesHaveOneIdea(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for name, s := range sizes(t, "../..") {
		if s.methods <= mostMethods && s.fields <= mostFields {
			continue
		}
		found[name] = true
		if large[name] == "" {
			t.Errorf("%s has %d methods and %d fields: split it, or say in large why it is one", name, s.methods, s.fields)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(large)) {
		if !found[name] {
			t.Errorf("%s is within the limits: remove it from large", name)
		}
	}
}

// size counts what a type declares itself.
type size struct{ methods, fields int }

// sizes are those of the types of every package below root, tests excepted, by
// "directory.Type".
func sizes(t *testing.T, root string) map[string]*size {
	t.Helper()
	all := map[string]*size{}
	of := func(dir, name string) *size {
		key := filepath.ToSlash(dir) + "." + name
		if all[key] == nil {
			all[key] = &size{}
		}
		return all[key]
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			count(decl, func(name string) *size { return of(dir, name) })
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// count adds a declaration to the size of its type.
func count(decl ast.Decl, of func(name string) *size) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil {
			of(receiver(d.Recv.List[0].Type)).methods++
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			ts, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			switch body := ts.Type.(type) {
			case *ast.StructType:
				of(ts.Name.Name).fields = body.Fields.NumFields()
			case *ast.InterfaceType:
				of(ts.Name.Name).methods = body.Methods.NumFields()
			}
		}
	}
}

// receiver is the name of a receiver's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
