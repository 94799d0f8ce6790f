// Package bus is edrpipe's place on NATS JetStream: connecting, the streams and
// buckets with their limits, and what is published on them as CloudEvents. The
// subjects are a contract with consumers:
//
//	edr.events.>                    raw input, as it arrived (stream EVENTS)
//	edr.dead.<reason>               input that could not be used, with reason and origin (DEAD)
//	edr.jobs.<job>.<transition>     life of each job (JOBS)
//	edr.results.<rule>.<job>        what came of each job, once (RESULTS)
//	edr.published.<subject>         what the action publish says (RESULTS)
//	edr.audit                       hash-linked log of decisions (AUDIT)
package bus
