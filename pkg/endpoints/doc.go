// Package endpoints reads the operator's endpoints file: what he says of endpoints,
// over what their events and their server say.
//
//	endpoints:
//	  - host: "srv-*"
//	    type: server
//	  - group: Domain Controllers
//	    type: domain_controller
//	    criticality: 5
//	    owner: identity team
//	  - address: 10.20.0.0/16
//	    tags: [plant-2]
//	    labels: {site: lyon}
//
// An entry holds for the endpoints that fit all of its keys host, address, group and
// server; each takes one value or a list. Entries are read from the top, and what a
// later one says wins; tags add up. An inventory as CSV has one entry a line, and these
// names in its first.
package endpoints
