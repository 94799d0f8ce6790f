package events

import (
	_ "embed" // the source of the event, which documents its fields
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"strings"
	"sync"
)

//go:embed event.go
var eventSource string

//go:embed image.go
var imageSource string

// FieldDoc returns the source comment of a field of an event's part, such as "Process"
// and "AlreadyRunning", for generated documentation. It is empty for a field without a
// comment.
func FieldDoc(part, field string) string { return fieldDocs()[part+"."+field] }

var fieldDocs = sync.OnceValue(func() map[string]string {
	docs := map[string]string{}
	for _, source := range []string{eventSource, imageSource} {
		file, err := parser.ParseFile(gotoken.NewFileSet(), "event.go", source, parser.ParseComments)
		if err != nil { // it has been compiled: cannot happen
			panic(err)
		}
		documented(file, docs)
	}
	return docs
})

// documented adds the comments of a file's fields.
func documented(file *ast.File, docs map[string]string) {
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				text := strings.TrimSpace(f.Comment.Text())
				for _, name := range f.Names {
					docs[spec.Name.Name+"."+name.Name] = strings.ReplaceAll(text, "\n", " ")
				}
			}
		}
		return false
	})
}
