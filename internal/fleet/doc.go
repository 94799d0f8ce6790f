// Package fleet holds the EDR servers of one service: for each its client, the
// directory of its endpoints and a scheduler of its own, over one store of jobs. It
// says which server an event speaks of, and routes jobs and what people ask about them
// by the server of their endpoint.
package fleet
