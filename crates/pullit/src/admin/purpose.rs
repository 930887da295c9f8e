//! What each job is for, in a sentence for the operator.

/// What a job is for, in one line.
pub(super) fn purpose(job: &str) -> Option<&'static str> {
    Some(match job {
        "cleanupStalePendingQuestionSets" => {
            "Fails question sets that have been PENDING for an hour"
        }
        "retryFailedQuestionSetGeneration" => {
            "Sends the FAILED question set that has waited longest back to generation"
        }
        "runSourceCleanup" => "Deletes the files and rows of deleted sources that no set uses",
        "validateConsecutiveLearning" => "Ends the streaks of members who did not learn yesterday",
        "triggerWeeklyResetAndRecalibration" => {
            "Starts the week for every member and recomputes all totals"
        }
        "relayOutboxEvents" => "Delivers the events that wait in the outbox",
        "sendHeartbeat" => "Keeps this node's event streams alive",
        "pruneHistory" => "Deletes history, tokens and uploads past their retention",
        _ => return None,
    })
}
