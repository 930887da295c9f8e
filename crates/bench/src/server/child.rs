//! A server's process and its folder.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::sleep};

use crate::error::LoadError;

const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A server's process and its folder; both go when this is dropped.
#[derive(Debug)]
pub(super) struct Child {
    process: std::process::Child,
    folder: TempDir,
}

impl Child {
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Starts it with its output in a file of the folder, and waits until it listens.
    pub(super) async fn start(
        mut command: Command,
        folder: TempDir,
        address: SocketAddr,
        hint: &'static str,
    ) -> Result<Self, LoadError> {
        let program: PathBuf = command.get_program().into();
        // To be appended to, because a server may write its own log there.
        let output = File::options()
            .create(true)
            .append(true)
            .open(folder.path().join(OUTPUT))
            .map_err(LoadError::Machine)?;
        let errors = output.try_clone().map_err(LoadError::Machine)?;
        let process = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|source| LoadError::Program {
                program: program.clone(),
                source,
                hint,
            })?;
        let mut child = Self { process, folder };
        let begun = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            let ended = child.process.try_wait().map_err(LoadError::Machine)?;
            if ended.is_some() || begun.elapsed() > START {
                let output = child.folder.path().join(OUTPUT);
                return Err(LoadError::Silent {
                    program,
                    output: fs::read_to_string(output).unwrap_or_default(),
                });
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(child)
    }
}

/// What the server wrote, in its folder.
const OUTPUT: &str = "output";

impl Drop for Child {
    fn drop(&mut self) {
        // In order first: nginx takes its workers with it only then.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let begun = Instant::now();
        while let Ok(None) = self.process.try_wait() {
            if begun.elapsed() > STOP {
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

/// Starts a program that takes `--listen ADDRESS`.
pub(super) async fn start(program: &Path) -> Result<(SocketAddr, Child), LoadError> {
    let address = free_address()?;
    let mut command = Command::new(program);
    command.arg("--listen").arg(address.to_string());
    let hint = "Build it with `cargo build --release -p sse-hub --example event_server`";
    let child = Child::start(command, new_folder()?, address, hint).await?;
    Ok((address, child))
}

pub(super) fn new_folder() -> Result<TempDir, LoadError> {
    TempDir::with_prefix("sse-load.").map_err(LoadError::Machine)
}

/// Nobody else listens there now, and the readers come from other addresses.
pub(super) fn free_address() -> Result<SocketAddr, LoadError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(LoadError::Machine)
}
