//! What every tab was sent.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// What every tab was told.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    tabs: Vec<Vec<Told>>,
    reconnects: usize,
    returns: BTreeMap<usize, Return>,
    wrong: Option<String>,
}

/// How far a tab is that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Return {
    Greeted,
    /// A heartbeat came after everything that was missed.
    Back,
}

/// One notification at one tab.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) id: i64,
    /// Microseconds since 1970.
    pub(crate) at: i64,
}

impl Book {
    pub(crate) fn of(tabs: usize) -> Self {
        Self(Mutex::new(Pages {
            tabs: vec![Vec::new(); tabs],
            ..Pages::default()
        }))
    }

    /// A tab was told of a notification.
    pub(crate) fn told(&self, tab: usize, id: i64) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let at = i64::try_from(at.as_micros()).unwrap();
        self.with(|pages| {
            let last = pages.tabs[tab].last().map(|told| told.id);
            if last.is_some_and(|last| last >= id) {
                pages.wrong = Some(format!("tab {tab} was told of {id} after {last:?}"));
            }
            pages.tabs[tab].push(Told { id, at });
        });
    }

    /// A tab that came back was greeted.
    pub(crate) fn greeted(&self, tab: usize) {
        self.with(|pages| pages.returns.insert(tab, Return::Greeted));
    }

    /// A heartbeat came to a tab.
    pub(crate) fn beat(&self, tab: usize) {
        self.with(|pages| {
            if let Some(is) = pages.returns.get_mut(&tab) {
                *is = Return::Back;
            }
        });
    }

    /// All tabs are to come back once more.
    pub(crate) fn forget_returns(&self) {
        self.with(|pages| pages.returns.clear());
    }

    /// Whether every tab has come back since then.
    pub(crate) fn all_are_back(&self) -> bool {
        self.with(|pages| {
            let back = pages.returns.values().filter(|is| **is == Return::Back);
            back.count() == pages.tabs.len()
        })
    }

    pub(crate) fn wrong(&self, what: String) {
        self.with(|pages| pages.wrong = Some(what));
    }

    pub(crate) fn reconnected(&self) {
        self.with(|pages| pages.reconnects += 1);
    }

    pub(crate) fn reconnects(&self) -> usize {
        self.with(|pages| pages.reconnects)
    }

    /// How much all tabs were told.
    ///
    /// # Panics
    /// When something was wrong.
    pub(crate) fn total(&self) -> usize {
        let (total, wrong) =
            self.with(|pages| (pages.tabs.iter().map(Vec::len).sum(), pages.wrong.take()));
        assert_eq!(wrong, None);
        total
    }

    /// What each tab was told, in the order of its coming.
    pub(crate) fn tabs(&self) -> Vec<Vec<Told>> {
        self.with(|pages| pages.tabs.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Pages) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
