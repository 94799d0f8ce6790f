package edrsim_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"edrpipe/internal/golden"
	"edrpipe/pkg/edrsim"
)

// TestShapesStayAsTheyAre holds the names and JSON types of every answer, in each
// version, against golden files of our own.
func TestShapesStayAsTheyAre(t *testing.T) {
	for _, version := range edrsim.Versions {
		t.Run(version, func(t *testing.T) {
			cfg := frozen(1)
			cfg.Version = version
			cfg.Quirks = edrsim.Quirks{"partitions": "200"}
			golden.Check(t, "testdata/shapes-"+version+".golden", allShapes(start(t, cfg), version))
		})
	}
}

// allShapes uses every route and describes what came.
func allShapes(c *client, version string) string {
	var b strings.Builder
	show := func(what string, v any) {
		fmt.Fprintf(&b, "%s\n", what)
		found := shapes(v)
		for _, path := range slices.Sorted(maps.Keys(found)) {
			slices.Sort(found[path])
			fmt.Fprintf(&b, "    %-40s %s\n", path, strings.Join(found[path], " "))
		}
	}
	get := func(path string) { show("GET "+path, c.do("GET", path, nil, 200)) }
	for _, path := range []string{"/api/info", "/api/v1/storage/events/partition", "/api/v1/watchlist", "/api/group", "/api/v1/sensor", "/api/v1/sensor/1", "/api/v1/sensor/statistics"} {
		get(path)
	}
	if version != "5.1" {
		get("/api/v2/sensor")
	}
	show("POST session", c.do("POST", "/api/v1/cblr/session", m{"sensor_id": 1}, 200))
	const s = "/api/v1/cblr/session/1"
	c.do("PUT", s, m{"id": 1, "status": "close"}, 200)
	c.activate(1)
	const s2 = "/api/v1/cblr/session/2"
	show("upload", c.do("GET", fmt.Sprintf("%s/file/%v", s2, c.upload(s2, []byte("x"))), nil, 200))
	for _, req := range []m{
		{"name": "get file", "object": `C:\test.txt`}, {"name": "get file", "object": `C:\missing`}, {"name": "put file", "object": `C:\x`, "file_id": 1},
		{"name": "delete file", "object": `C:\x`}, {"name": "directory list", "object": `C:\*`}, {"name": "create directory", "object": `C:\d`},
		{"name": "create process", "object": "whoami"}, {"name": "create process", "object": "whoami", "wait": true}, {"name": "process list"}, {"name": "kill", "object": 2640},
		{"name": "reg enum key", "object": `HKLM\SYSTEM\CurrentControlSet\Control\Lsa`}, {"name": "reg query value", "object": `HKLM\SYSTEM\CurrentControlSet\Control\Lsa\Security Packages`},
		{"name": "reg set value", "object": `HKLM\SYSTEM\CurrentControlSet\Control\Lsa\x`, "value_data": 1, "value_type": "REG_DWORD"},
	} {
		show("command "+req["name"].(string), c.ended(s2, req))
	}
	for _, path := range []string{s2 + "/command", s2 + "/file", s2 + "/keepalive", "/api/v1/cblr/session"} {
		get(path)
	}
	show("POST ban", c.do("POST", "/api/v1/banning/blacklist", m{"md5hash": strings.Repeat("a", 32), "text": "x"}, 200))
	get("/api/v1/banning/blacklist")
	return b.String()
}
