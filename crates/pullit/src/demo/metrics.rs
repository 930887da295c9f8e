//! One number of the Prometheus text.

use super::client::Client;
use super::problem::Problem;

/// How many results of generations came too late and were dropped.
pub(super) async fn dropped_results(client: &Client) -> Result<u64, Problem> {
    let body = client.get("/metrics").await?.ok(200)?;
    Ok(value(
        body.as_str().unwrap_or_default(),
        "question_generations_total{outcome=\"dropped\"}",
    ))
}

/// 0 until it is counted for the first time.
fn value(text: &str, series: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_read_by_its_whole_name() {
        let text = "# TYPE a counter\na{b=\"c\"} 3\na{b=\"d\"} 4\n";
        assert_eq!(value(text, "a{b=\"d\"}"), 4);
        assert_eq!(value(text, "a{b=\"e\"}"), 0);
    }
}
