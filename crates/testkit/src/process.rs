//! Drives a real `pullit` process: starts it, knows its address, kills it in every way.

mod command;
mod output;

use std::{
    process::{Child, ExitStatus},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

pub use command::{Command, Finished};
use output::Output;

use crate::wait;

/// How long a process may take to end after SIGTERM: the contract's 20 s and a little.
const TERMINATION: Duration = Duration::from_secs(25);

/// A running service. Killed when dropped; its output is printed when the test panics.
#[derive(Debug)]
pub struct Pullit {
    child: Child,
    command: Command,
    base_url: String,
    output: Output,
}

impl Pullit {
    /// Describes a process of the executable `exe`, which a test finds as
    /// `env!("CARGO_BIN_EXE_pullit")`.
    pub fn command(exe: impl AsRef<std::path::Path>) -> Command {
        Command::new(exe.as_ref())
    }

    /// `http://127.0.0.1:<port>`, as the service itself printed it.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the process was started from; [`Command::start`] on it starts it anew on the same data.
    pub fn restartable(&self) -> &Command {
        &self.command
    }

    /// All it has written so far, standard output and standard error in the order of arrival.
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// Waits until the output contains `text`.
    pub async fn wait_for_output(&self, text: &str, bound: Duration) {
        if tokio::time::timeout(bound, self.output.contains(text))
            .await
            .is_err()
        {
            panic!("waited {bound:?} in vain for {text:?} in the output");
        }
    }

    /// SIGKILL: what a crash or a power cut looks like from inside. Returns when it is dead.
    pub fn kill_9(&mut self) {
        // An error means that it is dead already.
        let _ = self.child.kill();
        self.child.wait().expect("reap the killed process");
    }

    /// SIGTERM, then waits for the end.
    ///
    /// # Panics
    /// When the process has not ended after 25 s.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exited(TERMINATION).await
    }

    /// Waits for the process to end by itself.
    pub async fn exited(&mut self, bound: Duration) -> ExitStatus {
        let mut status = None;
        wait::until("the process ends", bound, async || {
            status = self.child.try_wait().expect("ask for the exit status");
            status.is_some()
        })
        .await;
        status.expect("the wait ends with a status")
    }

    /// SIGSTOP: a closed laptop lid.
    pub fn pause(&mut self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT: the lid opens.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    /// SIGHUP: a terminal that was closed.
    pub fn hang_up(&mut self) {
        self.signal(Signal::HUP);
    }

    /// SIGINT: Ctrl-C.
    pub fn interrupt(&mut self) {
        self.signal(Signal::INT);
    }

    fn signal(&mut self, signal: Signal) {
        // Once reaped, the id may belong to somebody else.
        if self
            .child
            .try_wait()
            .expect("ask for the exit status")
            .is_none()
        {
            kill_process(Pid::from_child(&self.child), signal).expect("send a signal to our child");
        }
    }
}

impl Drop for Pullit {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            self.output.settle();
            self.output.print();
        }
    }
}
