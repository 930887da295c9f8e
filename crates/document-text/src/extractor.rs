//! Starts a child for each document, reads its answer and bounds it from outside.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};

use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::child;
use super::wire::Reply;
use super::{DocumentKind, Extracted, ExtractionError, ExtractionFailure, Limits};

/// A panicking Rust program ends with this code.
const PANICKED: i32 = 101;

/// The running program itself, to be started again as a child.
///
/// On Linux this is the kernel's link to the program. It leads there even when an upgrade has replaced
/// or deleted the file under a running server. Elsewhere it is a path, which an upgrade breaks.
///
/// # Errors
/// The operating system does not say where the program is.
pub fn this_program() -> std::io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}

/// Starts an extraction child for each document, and bounds it from outside.
#[derive(Debug, Clone)]
pub struct Extractor {
    program: PathBuf,
    limits: Limits,
    /// Known after the first child's reply.
    missing: Arc<OnceLock<Vec<String>>>,
}

impl Extractor {
    /// `program` calls [`child_main`](crate::child_main) when its first argument is [`CHILD_COMMAND`](crate::CHILD_COMMAND):
    /// [`this_program`], or another executable that does.
    pub fn new(program: impl Into<PathBuf>, limits: Limits) -> Self {
        Self {
            program: program.into(),
            limits,
            missing: Arc::default(),
        }
    }

    /// The parts of a child's confinement that this kernel lacks, as the first child found; none before it.
    pub fn missing_protections(&self) -> &[String] {
        self.missing.get().map_or(&[], Vec::as_slice)
    }

    /// Reads `file` as a document of `kind`. When this returns (or is dropped), the child is dead.
    ///
    /// # Errors
    /// See [`ExtractionError`]: rejected for good, unavailable for now, or cancelled.
    pub async fn extract(
        &self,
        file: &Path,
        kind: DocumentKind,
        cancel: &CancellationToken,
    ) -> Result<Extracted, ExtractionError> {
        if cancel.is_cancelled() {
            return Err(ExtractionError::Cancelled);
        }
        let file =
            std::path::absolute(file).map_err(|error| unavailable("find the document", &error))?;
        let mut child = Command::new(&self.program)
            .args(child::arguments(kind, &self.limits, file))
            .env_clear()
            // Not in the folder of the service's data.
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| unavailable("start the extraction child", &error))?;

        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(ExtractionError::Cancelled),
            () = tokio::time::sleep(self.limits.wall) => Err(ExtractionFailure::timeout().into()),
            ended = self.read_answer(&mut child) => ended,
        };
        match ended {
            Ok((status, output)) => {
                let reply = interpret(status, &output)?;
                let _ = self.missing.set(reply.missing);
                reply.answer.into()
            }
            Err(error) => {
                child
                    .kill()
                    .await
                    .map_err(|error| unavailable("kill the extraction child", &error))?;
                Err(error)
            }
        }
    }

    async fn read_answer(
        &self,
        child: &mut Child,
    ) -> Result<(ExitStatus, Vec<u8>), ExtractionError> {
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let bound = self.longest_answer();
            stdout
                .take(bound + 1)
                .read_to_end(&mut output)
                .await
                .map_err(|error| unavailable("read the child's answer", &error))?;
            if output.len() as u64 > bound {
                return Err(ExtractionFailure::too_long(self.limits.max_chars).into());
            }
        }
        let status = child
            .wait()
            .await
            .map_err(|error| unavailable("wait for the child", &error))?;
        Ok((status, output))
    }

    /// Bytes of the longest text allowed, each character at its longest in JSON, and room for the rest.
    fn longest_answer(&self) -> u64 {
        (self.limits.max_chars as u64)
            .saturating_mul(6)
            .saturating_add(64 * 1024)
    }
}

fn interpret(status: ExitStatus, output: &[u8]) -> Result<Reply, ExtractionError> {
    if let Some(signal) = status.signal() {
        return Err(ended_by(signal));
    }
    match status.code() {
        Some(0) => serde_json::from_slice(output)
            .map_err(|error| unavailable("understand the child's answer", &error)),
        Some(PANICKED) => Err(ExtractionFailure::too_complex().into()),
        _ => Err(ExtractionError::Unavailable(format!(
            "the extraction child ended with {status}"
        ))),
    }
}

fn ended_by(signal: i32) -> ExtractionError {
    let is = |known: Signal| known.as_raw() == signal;
    if is(Signal::XCPU) {
        ExtractionFailure::timeout().into()
    } else if is(Signal::ABORT) || is(Signal::SEGV) || is(Signal::BUS) || is(Signal::ILL) {
        // A refused allocation aborts; a blown stack faults.
        ExtractionFailure::too_complex().into()
    } else {
        ExtractionError::Unavailable(format!("the extraction child was ended by signal {signal}"))
    }
}

fn unavailable(what: &str, error: &dyn std::fmt::Display) -> ExtractionError {
    ExtractionError::Unavailable(format!("cannot {what}: {error}"))
}

#[cfg(test)]
mod tests;
