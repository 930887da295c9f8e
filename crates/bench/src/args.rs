//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;

/// What event streams cost a server, and how fast it is with many of them; beside it nginx with nchan.
///
/// `scripts/sse-load` builds the server of this repository, installs the peer and starts this.
#[derive(Debug, Clone, Parser)]
#[command(name = "sse-load", version)]
pub(crate) struct Args {
    /// The server: a program that takes `--listen ADDRESS`, or the URL of one that runs (http://ADDRESS).
    #[arg(long)]
    pub(crate) server: Option<String>,
    /// The process of a server that runs already, for its memory and processor time.
    #[arg(long, value_name = "PID")]
    pub(crate) server_process: Option<u32>,
    /// The nginx that nchan is loaded into.
    #[arg(long, default_value = "/usr/sbin/nginx", value_name = "PROGRAM")]
    pub(crate) peer: PathBuf,
    /// Measure the server alone.
    #[arg(long)]
    pub(crate) no_peer: bool,
    /// Worker processes of the peer: nginx's own default. With two on two processors it is sooner with a publish to all
    /// readers, for more processor time.
    #[arg(long, default_value_t = 1)]
    pub(crate) peer_workers: usize,
    /// How long the peer's soak may be; with heartbeats it grows.
    #[arg(long, default_value_t = 2.0, value_name = "MINUTES", value_parser = positive)]
    pub(crate) peer_minutes: f64,
    /// Open streams.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) connections: usize,
    /// How many of them are open while the time of one publish to all is taken; all when not given.
    #[arg(long, value_name = "CONNECTIONS")]
    pub(crate) fanout: Option<usize>,
    /// Publishes to all whose time is taken.
    #[arg(long, default_value_t = 20)]
    pub(crate) rounds: usize,
    /// How long heartbeats and publishes go on while memory and gaps are watched.
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub(crate) minutes: f64,
    /// Readers that never read.
    #[arg(long, default_value_t = 100)]
    pub(crate) stalled: usize,
    /// What is published to each of them, in mebibytes, a kibibyte at a time; for a minute at most.
    #[arg(long, default_value_t = 4.0, value_name = "MEBIBYTES")]
    pub(crate) stalled_backlog: f64,
    /// How long the server then has to be rid of them.
    #[arg(long, default_value_t = 45.0, value_name = "SECONDS")]
    pub(crate) stalled_seconds: f64,
    /// Publishes a second to one reader each.
    #[arg(long, default_value_t = 1_000.0, value_parser = positive)]
    pub(crate) targeted_rate: f64,
    /// How long these go on.
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    pub(crate) targeted_seconds: f64,
    /// Bytes of the data of one publish.
    #[arg(long, default_value_t = 100)]
    pub(crate) payload: usize,
    /// Write the figures as JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// End with exit code 1 when a target is missed, or nothing can be said of it: the targets are those of 18,000
    /// streams, 10,000 of them for a publish to all, ten minutes, and the peer beside them.
    #[arg(long)]
    pub(crate) check: bool,
}

impl Args {
    /// How many streams are open while the time of one publish to all is taken.
    pub(crate) fn fanout(&self) -> usize {
        self.fanout
            .unwrap_or(self.connections)
            .clamp(1, self.connections)
    }

    /// The server as it was named; `None` when only the peer is to be measured.
    pub(crate) fn server(&self) -> Result<Option<Named>, String> {
        let Some(server) = &self.server else {
            return Ok(None);
        };
        let Some(rest) = server.strip_prefix("http://") else {
            return Ok(Some(Named::Program(server.into())));
        };
        let address = rest.trim_end_matches('/');
        address
            .parse()
            .map(|address| Some(Named::Running(address)))
            .map_err(|_| format!("--server {server}: the URL must be http://ADDRESS:PORT"))
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|error| error.to_string())?;
    if number > 0.0 && number.is_finite() {
        Ok(number)
    } else {
        Err("it must be more than 0".to_owned())
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Program(PathBuf),
    Running(SocketAddr),
}
