package edrsim

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
)

// AddBinary puts a binary's record on a Carbon Black EDR, with the fields of the
// server's documents: original_filename, file_desc, product_name, company_name,
// digsig_result. A record of the same MD5 is replaced.
func (s *Server) AddBinary(md5 string, fields map[string]any) error {
	md5, err := checkMD5(md5)
	if err != nil {
		return badRequest(err)
	}
	record := object{"digsig_result": "Unsigned", "signed": "Unsigned", "is_executable_image": true, "host_count": 1}
	maps.Copy(record, fields)
	record["md5"] = strings.ToUpper(md5)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.binaries[md5] = record
	return nil
}

func (s *Server) simAddBinary(w http.ResponseWriter, r *http.Request) error {
	var fields object
	if err := readJSON(r, &fields); err != nil {
		return err
	}
	md5, _ := fields["md5"].(string)
	if err := s.AddBinary(md5, fields); err != nil {
		return err
	}
	return s.reply(w, r, object{"md5": strings.ToUpper(md5)})
}

func (s *Server) getBinary(w http.ResponseWriter, r *http.Request) error {
	md5, err := checkMD5(r.PathValue("md5"))
	if err != nil {
		return badRequest(err)
	}
	s.mu.Lock()
	record := maps.Clone(s.binaries[md5])
	s.mu.Unlock()
	if record == nil {
		return &apiError{http.StatusNotFound, fmt.Sprintf("Binary %s does not exist", md5)}
	}
	return s.reply(w, r, record)
}
