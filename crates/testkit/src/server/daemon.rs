//! Starts a server in a temporary folder, and stops it.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::wait;

/// A server takes longer than usual when tests are being compiled beside it.
pub(super) const BOUND: Duration = Duration::from_secs(120);

/// Tries with other ports, should somebody take one between our look and the server's.
pub(super) const TRIES: usize = 5;

/// A folder that belongs to `user`, who runs the server when we are root: most servers refuse to be.
#[derive(Debug)]
pub(super) struct Home {
    user: &'static str,
    path: PathBuf,
    _folder: TempDir,
}

impl Home {
    pub(super) fn new(user: &'static str) -> Self {
        let folder =
            TempDir::with_prefix(format!("pullit-{user}-")).expect("make a temporary folder");
        let path = folder.path().join("home");
        if geteuid().is_root() {
            // Only the way through.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))
                .expect("open the way to the server's folder");
            let mut install = Command::new("install");
            install.args(["-d", "-m", "700", "-o", user, "-g", user]);
            let made = install.arg(&path).status().expect("run install");
            assert!(
                made.success(),
                "{user} has no account: run ./scripts/test, which installs the servers"
            );
        } else {
            fs::create_dir(&path).expect("make the server's folder");
        }
        Self {
            user,
            path,
            _folder: folder,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs as the server's user, in its folder. It stays one process: what is started can be killed.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = program.as_ref();
        let mut command = if geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid",
                self.user,
                "--regid",
                self.user,
                "--clear-groups",
                "--",
            ]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.path).stdin(Stdio::null());
        command
    }
}

/// A server's process, with its output in a file.
#[derive(Debug)]
pub(super) struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
    started_at: u64,
}

impl Daemon {
    /// Starts it; what it writes is added to `name.log` beside `home`.
    pub(super) fn start(name: &'static str, home: &Home, command: &mut Command) -> Self {
        let log = home.path.with_file_name(format!("{name}.log"));
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("open the server's log");
        let started_at = file.metadata().map_or(0, |file| file.len());
        let errors = file.try_clone().expect("share the server's log");
        let child = command
            .stdout(file)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("start {name}: {error}"));
        Self {
            name,
            child,
            log,
            started_at,
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written since it was started.
    pub(super) fn output(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = File::open(&self.log) {
            // An unreadable log is an empty one: the wait for it fails with a word of its own.
            let _ = file
                .seek(SeekFrom::Start(self.started_at))
                .and_then(|_| file.read_to_end(&mut text));
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until `ready`. False when the process ended instead.
    ///
    /// # Panics
    /// When neither happens.
    pub(super) async fn ready(&mut self, ready: impl Fn(&Self) -> bool) -> bool {
        let mut alive = true;
        let what = format!("{} is ready", self.name);
        wait::until(&what, BOUND, async || {
            alive = self.is_alive();
            !alive || ready(self)
        })
        .await;
        alive
    }

    /// Sends a signal and waits for the end.
    pub(super) async fn end(&mut self, signal: Signal) {
        if self.is_alive() {
            kill_process(Pid::from_child(&self.child), signal).expect("send a signal to our child");
        }
        let what = format!("{} has ended", self.name);
        wait::until(&what, BOUND, async || !self.is_alive()).await;
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago, below those that the kernel gives to outgoing connections.
pub(super) fn free_port() -> u16 {
    loop {
        let random = uuid::Uuid::new_v4().as_u128() % 17_000;
        let port = 15_000 + u16::try_from(random).unwrap_or_default();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
