package job

import "edrpipe/pkg/admission"

// Reason names a decision: the same word in log, metric label, result and why.
type Reason = admission.Reason

// Why a job waits.
const (
	ReasonSlot         Reason = "slot"            // every session slot is taken
	ReasonOrder        Reason = "order"           // an earlier job of the same sensor comes first
	ReasonGroup        Reason = "group"           // a job of the same concurrency group runs
	ReasonOffline      Reason = "offline"         // the sensor is offline
	ReasonCheckin      Reason = "checkin"         // the sensor's next check-in is not near
	ReasonPending      Reason = "session_pending" // the session waits for the sensor's check-in
	ReasonSilent       Reason = "sensor_silent"   // the sensor reads online, yet did not take its session up
	ReasonSensorBusy   Reason = "sensor_busy"     // somebody else has a session on the sensor
	ReasonServer       Reason = "server"          // the EDR server refuses or fails; everybody waits
	ReasonRetry        Reason = "retry"           // a step is tried again after a while
	ReasonApproval     Reason = "approval"        // people have to answer
	ReasonBudget       Reason = "budget"          // a guard's budget is used up
	ReasonDelayed      Reason = "delayed"         // it was asked for at a later time
	ReasonChild        Reason = "other_sensor"    // a step runs on another sensor
	ReasonPaused       Reason = "paused"          // people stopped the scheduler
	ReasonShutdown     Reason = "shutdown"        // handed back at a restart
	ReasonGaveWay      Reason = "gave_way"        // it gave its slot up after a step, to a job of higher priority
	ReasonUnknownState Reason = "sensor_unknown"  // the sensor's state has not been read yet, or cannot be read now
	ReasonOtherHost    Reason = "other_host"      // the server calls the endpoint by another name than the event
	ReasonUnknownFact  Reason = "unknown_fact"    // a condition hangs on a fact of the endpoint that is not known
	ReasonFactPending  Reason = "fact_pending"    // a condition hangs on a fact of the endpoint that its server has not told yet
	ReasonBus          Reason = "bus"             // the bus does not take or show records now
)

// Why a job or step ended as it did.
const (
	ReasonStep          Reason = "step_failed"
	ReasonBinding       Reason = "binding" // an expression or a parameter is wrong
	ReasonUnknownSensor Reason = "unknown_sensor"
	ReasonUnsupported   Reason = "unsupported" // the sensor does not support Live Response
	ReasonDeadline      Reason = "deadline"
	ReasonTimeout       Reason = "timeout"
	ReasonCancelled     Reason = "cancelled"
	ReasonJoined        Reason = "joined"
	ReasonDropped       Reason = "dropped"
	ReasonReplaced      Reason = "replaced"
	ReasonDenied        Reason = "denied"
	ReasonUnanswered    Reason = "unanswered" // nobody approved in time
	ReasonUnknown       Reason = "outcome_unknown"
	ReasonAdopted       Reason = "adopted" // the outcome was read from the server after a crash
	ReasonCondition     Reason = "condition"
	ReasonShadow        Reason = "shadow"
	ReasonTooLarge      Reason = "output_too_large"
	ReasonLost          Reason = "lost"        // its function died with its process
	ReasonRecordLost    Reason = "record_lost" // the store has lost its record
)
