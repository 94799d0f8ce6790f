package edrsim

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An override is a reputation override: on the black list, a banned binary.
type override struct {
	ID          string `json:"id"`
	CreatedBy   string `json:"created_by"`
	CreateTime  string `json:"create_time"`
	List        string `json:"override_list"`
	Type        string `json:"override_type"`
	SHA256      string `json:"sha256_hash,omitempty"`
	Filename    string `json:"filename,omitempty"`
	Description string `json:"description,omitempty"`
	SignedBy    string `json:"signed_by,omitempty"`
	Authority   string `json:"certificate_authority,omitempty"`
	Path        string `json:"path,omitempty"`
	Children    bool   `json:"include_child_processes,omitempty"`
	Source      string `json:"source"`
	SourceRef   any    `json:"source_ref"`
}

func (c *cloud) overrideRoutes(api func(method, path string, f endpointFunc)) {
	api("POST", "", c.postOverride)
	api("POST", "/_search", c.searchOverrides)
	api("POST", "/_delete", c.deleteOverrides)
	api("GET", "/{id}", c.getOverride)
	api("DELETE", "/{id}", c.deleteOverride)
}

// check is what the real server refuses.
func (o *override) check(filename bool) error {
	switch {
	case o.List != "BLACK_LIST" && o.List != "WHITE_LIST":
		return notOneOf("override_list", o.List, "BLACK_LIST", "WHITE_LIST")
	case o.Type == "CERT" || o.Type == "IT_TOOL":
		return nil
	case o.Type != "SHA256":
		return notOneOf("override_type", o.Type, "SHA256", "CERT", "IT_TOOL")
	}
	if b, err := hex.DecodeString(o.SHA256); err != nil || len(b) != 32 {
		return invalid("sha256_hash: %.80q is not 64 hexadecimal characters", o.SHA256)
	}
	if filename && o.Filename == "" {
		return invalid("filename is missing")
	}
	return nil
}

func (c *cloud) postOverride(w http.ResponseWriter, r *http.Request) error {
	var o override
	if err := readJSON(r, &o); err != nil {
		return err
	}
	if err := o.check(c.is("ban-filename", "required")); err != nil {
		return err
	}
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	same := func(x *override) bool {
		return o.Type == "SHA256" && x.List == o.List && strings.EqualFold(x.SHA256, o.SHA256)
	}
	if c.is("duplicate-ban", "409") && slices.ContainsFunc(c.overrides, same) {
		return &cloudError{http.StatusConflict, "CONFLICT", "An override of this hash exists", nil}
	}
	o.ID, o.CreatedBy, o.CreateTime = strings.ReplaceAll(c.uuid(), "-", ""), c.srv.cfg.Username, c.srv.clock.now().UTC().Format(time.RFC3339Nano)
	o.Source = "APP"
	c.overrides = append(c.overrides, &o)
	return c.srv.reply(w, r, o)
}

func (c *cloud) getOverride(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	i := slices.IndexFunc(c.overrides, func(o *override) bool { return o.ID == r.PathValue("id") })
	var v override
	if i >= 0 {
		v = *c.overrides[i]
	}
	c.srv.mu.Unlock()
	if i < 0 {
		return notFound("Reputation override " + r.PathValue("id") + " not found")
	}
	return c.srv.reply(w, r, v)
}

// removeOverride reports whether there was one. Callers hold the server's mutex.
func (c *cloud) removeOverride(id string) bool {
	before := len(c.overrides)
	c.overrides = slices.DeleteFunc(c.overrides, func(o *override) bool { return o.ID == id })
	return len(c.overrides) < before
}

func (c *cloud) deleteOverride(w http.ResponseWriter, r *http.Request) error {
	c.srv.mu.Lock()
	ok := c.removeOverride(r.PathValue("id"))
	c.srv.mu.Unlock()
	if !ok {
		return notFound("Reputation override " + r.PathValue("id") + " not found")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *cloud) deleteOverrides(w http.ResponseWriter, r *http.Request) error {
	var ids []string
	if err := readJSON(r, &ids); err != nil {
		return err
	}
	results, failed := []string{}, []object{}
	c.srv.mu.Lock()
	for _, id := range ids {
		if c.removeOverride(id) {
			results = append(results, id)
		} else {
			failed = append(failed, object{"id": id, "error_code": "NOT_FOUND", "message": "not found"})
		}
	}
	c.srv.mu.Unlock()
	return c.srv.reply(w, r, object{"results": results, "errors": failed})
}

func (c *cloud) searchOverrides(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Criteria map[string]json.RawMessage `json:"criteria"`
		Query    string                     `json:"query"`
		Start    number                     `json:"start"`
		Rows     *number                    `json:"rows"`
		Field    string                     `json:"sort_field"`
		Order    string                     `json:"sort_order"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	list := []object{}
	c.srv.mu.Lock()
	for _, o := range c.overrides {
		b, _ := json.Marshal(o)
		v := object{}
		_ = json.Unmarshal(b, &v) // marshalled above
		ok, err := overrideIn(v, req.Criteria)
		if err != nil {
			c.srv.mu.Unlock()
			return err
		}
		if ok && strings.Contains(strings.ToLower(string(b)), strings.ToLower(strings.Trim(req.Query, `*"`))) {
			list = append(list, v)
		}
	}
	c.srv.mu.Unlock()
	if req.Field != "" {
		if err := sortObjects(list, []searchSort{{req.Field, req.Order}}, "create_time", "created_by", "override_list", "override_type", "sha256_hash", "filename", "description", "id"); err != nil {
			return err
		}
	}
	total, start, rows := len(list), min(max(int(req.Start), 0), len(list)), 20
	if req.Rows != nil {
		rows = max(int(*req.Rows), 0)
	}
	return c.srv.reply(w, r, object{"num_found": total, "results": list[start:min(start+rows, total)]})
}

func overrideIn(o object, criteria map[string]json.RawMessage) (bool, error) {
	for name, raw := range criteria {
		wanted, err := words(raw)
		if err != nil {
			return false, err
		}
		if len(wanted) > 0 && !oneOf(wanted, fmt.Sprint(o[name])) {
			return false, nil
		}
	}
	return true, nil
}
