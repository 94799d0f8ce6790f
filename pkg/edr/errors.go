package edr

import (
	"errors"
	"fmt"
)

// Errors that callers decide on. Backends wrap them; test with errors.Is.
var (
	ErrUnknownSensor = errors.New("sensor is not known to the server")
	ErrUnknownBinary = errors.New("binary is not known to the server")
	ErrOffline       = errors.New("sensor is offline")
	ErrSessionLimit  = errors.New("server's session limit is reached")
	ErrSessionBusy   = errors.New("sensor already has a session")
	ErrSessionGone   = errors.New("session is gone")
	ErrUnsupported   = errors.New("command is not supported by the sensor")
	ErrUnauthorized  = errors.New("token is refused or lacks rights")
	// ErrTokenRefused is an ErrUnauthorized for which the request was not looked at: a
	// valid token makes it work.
	ErrTokenRefused error = tokenRefused{}
	// ErrThrottled: the server takes no requests for a while, because there were too many;
	// this one was not sent.
	ErrThrottled = errors.New("server takes no requests now: there were too many")
	// ErrLicence: the server's licence has ended, so that it neither opens sessions nor
	// takes new bans. A new licence makes the request work.
	ErrLicence = errors.New("licence of the server has ended")
	// ErrLicenceEnding: the licence has ended, and the server works for some time yet.
	ErrLicenceEnding = errors.New("licence of the server has ended, and it goes on for a while")
	ErrDisabled      = errors.New("server has Live Response disabled")
	ErrServer        = errors.New("server error")
	ErrTimeout       = errors.New("no answer in time")
	ErrCancelled     = errors.New("command was cancelled")
	// ErrAmbiguous: a request that changes something left, and whether it arrived is
	// not known. It must not be repeated before the state has been read.
	ErrAmbiguous = errors.New("outcome is not known")
)

type tokenRefused struct{}

func (tokenRefused) Error() string        { return "token is refused" }
func (tokenRefused) Is(target error) bool { return target == ErrUnauthorized }

// Where is the subject of an error. Zero fields are unknown.
type Where struct {
	Sensor  string
	Session string
	Command *int64 // a pointer, because 0 is an id
	Name    string // command name
	Object  string
	Request string // method and path
}

// ResultError is an endpoint's own refusal: the command ran and failed.
// errors.Is recognises fs.ErrNotExist, fs.ErrPermission and fs.ErrExist in it.
type ResultError struct {
	Where
	Code uint32 // as on the wire: an HRESULT on Windows
	Type string // WinHresult, CbError
	Name string // ERROR_FILE_NOT_FOUND, or "" when unknown
	Text string // readable
	is   error
}

// NewResultError builds a ResultError; is may be nil or one of the fs errors.
func NewResultError(w Where, code uint32, typ, name, text string, is error) *ResultError {
	return &ResultError{Where: w, Code: code, Type: typ, Name: name, Text: text, is: is}
}

func (e *ResultError) Error() string {
	return fmt.Sprintf("%s %s on sensor %s: %s (0x%08X)", e.Where.Name, Quote(e.Object), e.Sensor, e.Text, e.Code)
}

// Is makes errors.Is(err, fs.ErrNotExist) work on an endpoint's answer.
func (e *ResultError) Is(target error) bool { return e.is != nil && errors.Is(e.is, target) }
