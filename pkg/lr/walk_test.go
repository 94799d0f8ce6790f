package lr

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// tree lists directories of a map; a value names another path whose content it
// shares, as a link does.
type tree map[string][]edr.DirEntry

func (t tree) list(_ context.Context, pattern string) ([]edr.DirEntry, error) {
	path := strings.TrimRight(pattern, "/")
	for strings.Contains(path, "/loop") { // a link to the root
		path = path[strings.Index(path, "/loop")+len("/loop"):]
	}
	entries, ok := t[path]
	if !ok {
		return nil, edr.NewResultError(edr.Where{Object: pattern}, 13, "CbError", "EACCES", "permission denied", fs.ErrPermission)
	}
	return entries, nil
}

func entry(name string, dir bool) edr.DirEntry {
	return edr.DirEntry{Name: name, Dir: dir, Modified: time.Unix(int64(len(name)), 0)}
}

func TestWalk(t *testing.T) {
	disk := tree{
		"":     {entry("a", true), entry("f", false), entry("loop", true), entry("secret", true), {Name: "link", Dir: true, Attributes: []string{"DIRECTORY", "REPARSE_POINT"}}},
		"/a":   {entry("b", true), entry("g", false)},
		"/a/b": {},
	}
	stop := errors.New("stop")
	tests := map[string]struct {
		answer map[string]error
		want   string
		err    error
	}{
		"everything, loop and link shown but not entered": {want: "/a /a/b /a/g /f /loop /secret !/secret/ /link"},
		"skip a directory":       {answer: map[string]error{"/a": fs.SkipDir}, want: "/a /f /loop /secret !/secret/ /link"},
		"skip the rest of one":   {answer: map[string]error{"/a/b": fs.SkipDir, "/f": fs.SkipDir}, want: "/a /a/b /a/g /f"},
		"skip all":               {answer: map[string]error{"/a/g": fs.SkipAll}, want: "/a /a/b /a/g"},
		"stop":                   {answer: map[string]error{"/a": stop}, want: "/a", err: stop},
		"stop at the unreadable": {answer: map[string]error{"!/secret/": stop}, want: "/a /a/b /a/g /f /loop /secret !/secret/", err: stop},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var seen []string
			err := liveresponse.Walk(t.Context(), disk.list, edr.Linux, "/", func(path string, _ edr.DirEntry, err error) error {
				if err != nil {
					path = "!" + path
				}
				seen = append(seen, path)
				return tt.answer[path]
			})
			if !errors.Is(err, tt.err) || !slices.Equal(seen, strings.Fields(tt.want)) {
				t.Errorf("saw %q, %v\nwant  %q, %v", seen, err, strings.Fields(tt.want), tt.err)
			}
		})
	}
}
