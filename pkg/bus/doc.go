// Package bus is edrpipe's use of NATS JetStream: the connection, the streams and
// buckets with their limits, and the CloudEvents published on them. The subjects are a
// contract with consumers:
//
//	edr.events.>                    raw input, as it arrived (stream EVENTS)
//	edr.dead.<reason>               rejected input, with reason and origin (DEAD)
//	edr.jobs.<job>.<transition>     life of each job (JOBS)
//	edr.results.<rule>.<job>        result of each job, once (RESULTS)
//	edr.binaries.<hash>             metadata of a binary, for the service alone (BINARIES)
//	edr.published.<subject>         messages of the action publish (RESULTS)
//	edr.tenant.<tenant>.results.>   results again, of the servers of one tenant (TENANTS)
//	edr.audit                       hash-linked log of decisions (AUDIT)
package bus
