//! Configures and starts a `pullit` process.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{self, Child, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;

use super::{Pullit, output};
use crate::{http, wait};

/// What the service prints when it accepts connections; its address is the next word.
const ANNOUNCEMENT: &str = "Pullit is listening on ";

/// How to start a `pullit` process. Every start from one command (or a copy of it) uses the same
/// folder, so that starting again is a restart; the folder goes with the last copy.
#[derive(Debug, Clone)]
pub struct Command {
    exe: PathBuf,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    folder: Arc<TempDir>,
    bound: Duration,
}

/// What a command that ran to its end left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended; `status.code()` is the exit code.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Finished {
    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is none, showing all that was written.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("standard output is no JSON ({error}): {self:#?}"))
    }
}

impl Command {
    pub(super) fn new(exe: &Path) -> Self {
        let folder = TempDir::with_prefix("pullit-process-").expect("make a temporary folder");
        let command = Self {
            exe: exe.to_owned(),
            args: vec!["serve".into()],
            env: BTreeMap::new(),
            bound: Duration::from_secs(30),
            folder: Arc::new(folder),
        };
        let data_dir = command.folder().join("data");
        command
            .env("PULLIT_LISTEN", "127.0.0.1:0")
            .env("PULLIT_DATA_DIR", data_dir)
    }

    /// The working folder: `data` is the data folder, `pullit.toml` the configuration file.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The arguments of [`Command::start`] instead of `serve`.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a variable of the process's environment, which inherits no other `PULLIT_…` variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Writes `pullit.toml`.
    pub fn config(self, toml: &str) -> Self {
        fs::write(self.folder().join("pullit.toml"), toml).expect("write pullit.toml");
        self
    }

    /// Uses another data folder than one of its own, for nodes that share it.
    pub fn data_dir(self, folder: impl AsRef<OsStr>) -> Self {
        self.env("PULLIT_DATA_DIR", folder.as_ref())
    }

    /// Bounds the time until readiness and the time of [`Command::run`] (30 s by default).
    pub fn bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// Starts the service and waits for nothing: for a node that does not answer HTTP.
    pub fn launch(&self) -> Pullit {
        let mut child = self.spawn(&self.args);
        let (gatherer, output) = output::gather();
        gatherer.read(child.stdout.take().expect("standard output is piped"));
        gatherer.read(child.stderr.take().expect("standard error is piped"));
        drop(gatherer);
        // From here on a panic kills the child and prints its output.
        Pullit {
            child,
            command: self.clone(),
            base_url: String::new(),
            output,
        }
    }

    /// Starts the service and waits until it has announced its address and `/healthz` answers 200.
    ///
    /// # Panics
    /// With all that it wrote, when it ends instead or is not ready in time.
    pub async fn start(&self) -> Pullit {
        let mut pullit = self.launch();
        let output = pullit.output.clone();
        let client = http::direct();
        let readiness = async {
            let base_url = output.find(announced_address).await;
            let health = format!("{base_url}/healthz");
            wait::until("/healthz answers 200", self.bound, async || {
                client
                    .get(&health)
                    .send()
                    .await
                    .is_ok_and(|answer| answer.status().as_u16() == 200)
            })
            .await;
            base_url
        };
        let base_url = tokio::select! {
            base_url = readiness => base_url,
            status = ended(&mut pullit.child) => panic!("{self} ended before it was ready: {status}"),
            () = tokio::time::sleep(self.bound) => panic!("{self} is not ready after {:?}", self.bound),
        };
        pullit.base_url = base_url;
        pullit
    }

    /// Runs the executable with `args` on the same folder and environment until it ends, whether
    /// the service runs or not.
    ///
    /// # Panics
    /// When it does not end in time; it is killed then.
    pub async fn run<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Finished {
        let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
        let mut child = Killed(self.spawn(&args));
        let (gatherer, stdout) = output::gather();
        gatherer.read(child.0.stdout.take().expect("standard output is piped"));
        drop(gatherer);
        let (gatherer, stderr) = output::gather();
        gatherer.read(child.0.stderr.take().expect("standard error is piped"));
        drop(gatherer);
        let run = async {
            let status = ended(&mut child.0).await;
            stdout.closed().await;
            stderr.closed().await;
            status
        };
        let Ok(status) = tokio::time::timeout(self.bound, run).await else {
            stdout.print();
            stderr.print();
            panic!(
                "{} {args:?} has not ended after {:?}",
                self.exe.display(),
                self.bound
            );
        };
        Finished {
            status,
            stdout: stdout.text(),
            stderr: stderr.text(),
        }
    }

    fn spawn(&self, args: &[OsString]) -> Child {
        let mut command = process::Command::new(&self.exe);
        // PULLIT_TEST_… and a developer's own settings are none of the service's business.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("PULLIT_") {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .envs(&self.env)
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start {self}: {error}"))
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {:?}", self.exe.display(), self.args)
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn ended(child: &mut Child) -> ExitStatus {
    loop {
        if let Some(status) = child.try_wait().expect("ask for the exit status") {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The address in the announcement, once its line is complete.
fn announced_address(output: &str) -> Option<String> {
    let (_, after) = output.split_once(ANNOUNCEMENT)?;
    let (line, _) = after.split_once('\n')?;
    let address = line.split_whitespace().next()?;
    Some(address.trim_end_matches('/').to_owned())
}
