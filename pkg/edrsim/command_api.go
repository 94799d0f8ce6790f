package edrsim

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

func (s *Server) listCommands(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	x, err := s.readable(pathNumber(r, "sid"))
	if err != nil {
		s.mu.Unlock()
		return err
	}
	status := r.URL.Query().Get("status")
	list := make([]map[string]any, 0, len(x.commands))
	for _, c := range x.commands {
		if status == "" || strings.EqualFold(status, c.status) {
			list = append(list, c.summary())
		}
	}
	s.mu.Unlock()
	if n, err := strconv.Atoi(r.URL.Query().Get("count")); err == nil && n >= 0 && n < len(list) {
		list = list[:n]
	}
	return s.reply(w, r, list)
}

func (s *Server) postCommand(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return badRequest(err)
	}
	req, err := decodeCommand(body)
	if err != nil {
		return badRequest(err)
	}
	s.mu.Lock()
	x, err := s.usable(pathNumber(r, "sid"))
	if err != nil {
		s.mu.Unlock()
		return err
	}
	c, err := x.submit(req)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	v := c.detail(c.created)
	s.notify()
	s.mu.Unlock()
	return s.reply(w, r, v)
}

// submit queues a command.
func (x *session) submit(req commandRequest) (*command, error) {
	if !x.sensor.supports(req.Name) && x.srv.as.unsupported == "400" {
		return nil, badRequest(fmt.Errorf("command %q is not supported by sensor %d", req.Name, x.sensor.id))
	}
	now := x.srv.clock.now()
	c := &command{session: x, id: len(x.commands) + 1, req: req, status: commandPending, created: now}
	switch req.Name {
	case "get file":
		c.file = x.addFile(req.object(), blob{})
	case "put file":
		c.file = x.fileByID(int(req.FileID))
		if c.file == nil {
			return nil, badRequest(fmt.Errorf("file %d not found in session %d", req.FileID, x.id))
		}
	}
	x.commands = append(x.commands, c)
	x.queue = append(x.queue, c)
	x.lastUse = now
	return c, nil
}

// command finds a command of a session that can be looked at. Callers hold mu.
func (s *Server) command(r *http.Request) (*command, error) {
	x, err := s.readable(pathNumber(r, "sid"))
	if err != nil {
		return nil, err
	}
	id := pathNumber(r, "cid")
	if id < 1 || id > len(x.commands) {
		return nil, &apiError{http.StatusNotFound, fmt.Sprintf("Command %d not found in session %d", id, x.id)}
	}
	return x.commands[id-1], nil
}

func (s *Server) getCommand(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	c, err := s.command(r)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if wantsWait(r) {
		if err := s.await(r.Context(), c.session, func() bool { return c.done() || !c.session.alive() }); err != nil {
			return err
		}
	}
	return s.replyCommand(w, r, c)
}

// putCommand cancels a command that is still pending. It has no effect on others.
func (s *Server) putCommand(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Status string `json:"status"`
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	s.mu.Lock()
	c, err := s.command(r)
	if err == nil && strings.HasPrefix(strings.ToLower(req.Status), "cancel") {
		c.cancel(s.clock.now())
		s.notify()
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.replyCommand(w, r, c)
}

func (s *Server) replyCommand(w http.ResponseWriter, r *http.Request, c *command) error {
	s.mu.Lock()
	v := c.detail(s.clock.now())
	s.mu.Unlock()
	return s.reply(w, r, v)
}
