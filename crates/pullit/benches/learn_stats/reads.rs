//! Members who look at their stats while the jobs run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::Rng;
use testkit::http::Client;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The pause between two requests of one reader.
const PAUSE: Duration = Duration::from_millis(20);
pub(crate) const READERS: usize = 2;
/// What 99 of 100 readers should not wait longer than.
const TARGET: Duration = Duration::from_millis(50);
/// Access tokens live 15 minutes.
const SIGN_IN_EVERY: Duration = Duration::from_secs(300);

/// Readers who always read; what they wait counts only while it is asked for.
pub(crate) struct Reads {
    counts: Arc<AtomicBool>,
    waited: Arc<Mutex<Vec<Duration>>>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Reads {
    /// Readers at this address, each of whom signs in by a link.
    pub(crate) fn begin(url: &str, members: u32, links: [String; READERS]) -> Self {
        let reads = Self {
            counts: Arc::default(),
            waited: Arc::default(),
            stop: CancellationToken::new(),
            tasks: Vec::new(),
        };
        let tasks = links.into_iter().map(|link| {
            let (counts, waited) = (reads.counts.clone(), reads.waited.clone());
            let (stop, url) = (reads.stop.clone(), url.to_owned());
            tokio::spawn(async move {
                let reading = read(&url, &link, members, &counts, &waited);
                stop.run_until_cancelled(reading).await;
            })
        });
        Self {
            tasks: tasks.collect(),
            ..reads
        }
    }

    pub(crate) fn count(&self, counts: bool) {
        self.counts.store(counts, Ordering::Relaxed);
    }

    pub(crate) async fn end(self) -> String {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        let mut waited = std::mem::take(&mut *self.waited.lock().unwrap());
        waited.sort_unstable();
        let at = |share: f64| {
            let place = (waited.len() as f64 * share) as usize;
            waited.get(place).copied().unwrap_or_default()
        };
        format!(
            "{} reads of stats and days over HTTP meanwhile: half within {:.1?}, 99 of 100 within {:.1?} (target: {TARGET:?}), the longest {:.1?}",
            waited.len(),
            at(0.5),
            at(0.99),
            waited.last().copied().unwrap_or_default()
        )
    }
}

async fn read(
    url: &str,
    link: &str,
    members: u32,
    counts: &AtomicBool,
    waited: &Mutex<Vec<Duration>>,
) {
    let client = Client::new(url);
    client.follow_link(link).await;
    loop {
        client.refresh().await;
        let signed_in = Instant::now();
        while signed_in.elapsed() < SIGN_IN_EVERY {
            let member = rand::rng().random_range(1..=members);
            for what in ["learn-stats", "daily-stats"] {
                let counted = counts.load(Ordering::Relaxed);
                let asked = Instant::now();
                let path = format!("/api/members/{member}/{what}");
                client.get(&path).await.expect(200);
                if counted {
                    waited.lock().unwrap().push(asked.elapsed());
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
