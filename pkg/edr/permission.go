package edr

import "context"

// A PermissionChecker is a Server that can find out what its token may do, one right by
// one, without changing anything.
type PermissionChecker interface {
	Permissions(ctx context.Context) []Permission
}

// A Permission is one right and whether the token has it.
type Permission struct {
	Name  string // as the product calls it
	Right string // CREATE, READ, UPDATE, DELETE, EXECUTE
	For   string // what needs it
	State PermissionState
	Err   error // the answer, where State is not Granted
}

// PermissionState is what was found out of a permission.
type PermissionState int

// The states of permissions.
const (
	Granted  PermissionState = iota // a request that needs it was not refused for it
	Missing                         // such a request was refused
	Untested                        // it could only be tried by acting, or there was no usable answer
)
