// Package fleet holds the EDR servers of one service: for each its client, the directory
// of its endpoints and a scheduler of its own, over one store of jobs. It assigns events
// to servers, and routes jobs and operators' requests by the server of their endpoint.
package fleet
