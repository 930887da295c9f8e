//! Collects what a process writes.

use std::{
    io::Read,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::sync::watch;

/// What a process has written, gathered by threads of their own: a test that blocks its runtime
/// must not fill the pipe and so stop the process.
#[derive(Debug, Clone)]
pub(super) struct Output {
    text: Arc<Mutex<Vec<u8>>>,
    grown: watch::Receiver<()>,
}

/// The writing side; what waits for output gives up when every copy is gone.
#[derive(Debug, Clone)]
pub(super) struct Gatherer {
    text: Arc<Mutex<Vec<u8>>>,
    grown: watch::Sender<()>,
}

pub(super) fn gather() -> (Gatherer, Output) {
    let text = Arc::new(Mutex::new(Vec::new()));
    let (sender, receiver) = watch::channel(());
    (
        Gatherer {
            text: text.clone(),
            grown: sender,
        },
        Output {
            text,
            grown: receiver,
        },
    )
}

impl Gatherer {
    /// Reads until the other end is closed.
    pub(super) fn read(&self, mut pipe: impl Read + Send + 'static) {
        let this = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                lock(&this.text).extend_from_slice(&buffer[..length]);
                this.grown.send_replace(());
            }
        });
    }
}

impl Output {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.text)).into_owned()
    }

    /// Waits until `text` has been written. Waits for ever when the process ends without it.
    pub(super) async fn contains(&self, text: &str) {
        self.find(|output| output.contains(text).then_some(()))
            .await;
    }

    /// Waits until `find` finds something in all that has been written.
    pub(super) async fn find<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let mut grown = self.grown.clone();
        loop {
            grown.mark_unchanged();
            if let Some(found) = find(&self.text()) {
                return found;
            }
            if grown.changed().await.is_err() {
                match find(&self.text()) {
                    Some(found) => return found,
                    None => std::future::pending().await,
                }
            }
        }
    }

    /// Waits until the process and all that inherited its pipe have closed it.
    pub(super) async fn closed(&self) {
        let mut grown = self.grown.clone();
        while grown.changed().await.is_ok() {}
    }

    /// Gives the gathering threads a moment to bring in the last words of a dead process; what
    /// inherited its pipes may hold them open for longer.
    pub(super) fn settle(&self) {
        for _ in 0..100 {
            if self.grown.has_changed().is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Prints it where the test harness shows the output of a failed test.
    #[expect(clippy::print_stderr, reason = "a failed test is read there")]
    pub(super) fn print(&self) {
        eprintln!(
            "---- output of the process ----\n{}\n---- end of its output ----",
            self.text().trim_end()
        );
    }
}

fn lock(text: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}
