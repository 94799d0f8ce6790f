package doctor

import (
	"fmt"

	"edrpipe/pkg/endpoints"
)

// endpoints reads the endpoints file.
func (d *Doctor) endpoints() {
	name := d.Config.Endpoints
	if name == "" {
		return // facts then come from events and servers only
	}
	book, err := endpoints.Read(d.path(name))
	if err != nil {
		d.failed("endpoints", firstLines(err.Error(), 3), cureOf(err, "endpoints"))
		return
	}
	if book.Len() == 0 {
		d.ok("endpoints", "the file has no entry yet: facts come from events and servers only")
		return
	}
	d.ok("endpoints", fmt.Sprintf("%d entries", book.Len()))
}
