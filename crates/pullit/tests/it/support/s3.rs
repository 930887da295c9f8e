//! A real S3 server in a process of its own, which a test may kill and start again.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pullit::platform::config::Config;
use tempfile::TempDir;

const BUCKET: &str = "pullit-test";
const PREFIX: &str = "sources/of-a-test";
const ACCESS_KEY: &str = "AKIDOFTHETESTS";
pub(crate) const SECRET_KEY: &str = "a secret of the tests + with/signs";

/// An S3 server with an empty bucket. Killed when dropped.
pub(crate) struct S3Server {
    folder: TempDir,
    address: String,
    process: Option<Child>,
}

impl S3Server {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let folder = TempDir::with_prefix("pullit-s3-").unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        // Below the ports that the kernel gives away, so that it is still free when the server comes back.
        let started = (0..20).find_map(|_| {
            let address = format!("127.0.0.1:{}", rand::random_range(15_000..32_000));
            spawn(folder.path(), &address, None).map(|process| (address, process))
        });
        let (address, process) = started.expect("a free port");
        Self {
            folder,
            address,
            process: Some(process),
        }
    }

    /// Kills it, if it is not dead yet.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // An error means that it is dead already.
            let _ = process.kill();
            process.wait().unwrap();
        }
    }

    /// Kills it, and starts it again with the same objects at the same address.
    pub(crate) fn restart(&mut self) {
        self.restart_dying(None);
    }

    /// As [`S3Server::restart`]; it dies by itself when it has deleted so many objects.
    pub(crate) fn restart_dying_after(&mut self, deletions: u64) {
        self.restart_dying(Some(deletions));
    }

    fn restart_dying(&mut self, deletions: Option<u64>) {
        self.kill();
        self.process = spawn(self.folder.path(), &self.address, deletions);
        assert!(self.process.is_some(), "the S3 server did not start again");
    }

    /// Whether it died by itself.
    pub(crate) fn is_dead(&mut self) -> bool {
        let process = self.process.as_mut().unwrap();
        process.try_wait().unwrap().is_some()
    }

    /// Makes it a node's storage.
    pub(crate) fn configure(&self, config: &mut Config) {
        let storage = &mut config.storage;
        storage.url = format!("s3://{BUCKET}/{PREFIX}");
        storage.endpoint = self.endpoint();
        storage.access_key = ACCESS_KEY.to_owned();
        storage.secret_key = SECRET_KEY.to_owned();
    }

    /// As [`S3Server::configure`], for a process.
    pub(crate) fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("PULLIT_STORAGE__URL", format!("s3://{BUCKET}/{PREFIX}")),
            ("PULLIT_STORAGE__ENDPOINT", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ]
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the objects lie as files.
    pub(crate) fn objects(&self) -> PathBuf {
        self.folder.path().join(BUCKET).join(PREFIX)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server, once it listens; nothing when the address is taken.
fn spawn(root: &Path, address: &str, deletions: Option<u64>) -> Option<Child> {
    // Cargo builds the examples with the tests, and puts them beside the binary.
    let binaries = Path::new(env!("CARGO_BIN_EXE_pullit")).parent().unwrap();
    let program = binaries.join("examples/s3-server");
    let mut process = Command::new(&program)
        .arg(root)
        .args([address, ACCESS_KEY, SECRET_KEY])
        .args(deletions.map(|deletions| deletions.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; run ./scripts/test", program.display()));
    let mut line = String::new();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    if line.trim() == "listening" {
        return Some(process);
    }
    process.wait().unwrap();
    None
}
