//! What was measured of one server.

/// What was measured of one server. What was not is `None`; all memory is that of the server's processes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    /// KiB resident for each stream, before anything was published.
    pub(crate) idle_kib: Option<f64>,
    /// KiB of the kernel's socket queues for each stream, both ends.
    pub(crate) idle_kernel_kib: Option<f64>,
    /// KiB resident for each stream, after the rounds.
    pub(crate) published_kib: Option<f64>,
    /// Milliseconds from a publish to all until the first and the last reader had it; medians over the rounds.
    pub(crate) first_ms: Option<f64>,
    pub(crate) last_ms: Option<f64>,
    /// Microseconds of the server's processor time for each event that a reader got, over the rounds.
    pub(crate) delivery_us: Option<f64>,
    /// How long the soak was.
    pub(crate) soak_minutes: Option<f64>,
    /// KiB resident for each stream: the most that was seen in the soak, and by how much it ended higher than it began.
    pub(crate) soak_most_kib: Option<f64>,
    pub(crate) soak_growth_kib: Option<f64>,
    /// The share of one core that the server used in the soak, in percent.
    pub(crate) soak_core_percent: Option<f64>,
    /// Milliseconds between two heartbeats of one reader, in the soak.
    pub(crate) gap_least_ms: Option<f64>,
    pub(crate) gap_median_ms: Option<f64>,
    pub(crate) gap_p99_ms: Option<f64>,
    pub(crate) gap_most_ms: Option<f64>,
    /// Heartbeats that did not come in the soak.
    pub(crate) missing_beats: Option<f64>,
    /// Publishes to one reader: how many a second there were, which share that is of what was asked for, in percent,
    /// and milliseconds from the publisher's sending to the receipt.
    pub(crate) targeted_rate: Option<f64>,
    pub(crate) targeted_share: Option<f64>,
    pub(crate) targeted_median_ms: Option<f64>,
    pub(crate) targeted_p99_ms: Option<f64>,
    pub(crate) targeted_most_ms: Option<f64>,
    /// Milliseconds from publish to socket, as the server itself measured them.
    pub(crate) to_socket_p99_ms: Option<f64>,
    /// MiB that were published to each stalled reader before nobody took any more; the least of them.
    pub(crate) stalled_backlog_mib: Option<f64>,
    /// MB that a hundred stalled readers cost at most, and of these what the kernel held.
    pub(crate) stalled_mb: Option<f64>,
    pub(crate) stalled_kernel_mb: Option<f64>,
    /// The same after the server has had time to be rid of them.
    pub(crate) stalled_left_mb: Option<f64>,
    /// Last reader's time with stalled readers beside it that the server still serves, over that without.
    pub(crate) stalled_delay: Option<f64>,
    /// The longest gap between heartbeats meanwhile, and those that did not come.
    pub(crate) stalled_gap_most_ms: Option<f64>,
    pub(crate) stalled_missing_beats: Option<f64>,
    /// Stalled readers whose connection the server had reset by then.
    pub(crate) stalled_reset: Option<f64>,
    /// Events that arrived other than they were sent, or twice; nothing is known of them when a part of the run failed.
    pub(crate) damaged: Option<f64>,
    pub(crate) repeated: Option<f64>,
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}
