//! Step 2: the domain's rooms, each on what it needs and no more.

use std::sync::Arc;

use sse_hub::{Hub, HubOptions};

use super::foundation::Foundation;
use super::resources::public_url;
use crate::auth::{Auth, AuthOptions};
use crate::learn_stats::{LearnStats, StatsOptions};
use crate::marking::Marking;
use crate::member::Members;
use crate::notification::{Feed, FeedOptions};
use crate::platform::loopback;
use crate::question_set::{QuestionSets, Quota, SetLimits};
use crate::schedulers;
use crate::source::{SourceLimits, Sources};

/// Where the nodes of a cluster tell each other of stored notifications (PostgreSQL's NOTIFY).
const NOTIFICATION_CHANNEL: &str = "pullit_notification";

/// The domain.
pub(super) struct DomainRooms {
    pub(super) members: Members,
    pub(super) auth: Auth,
    pub(super) sources: Arc<Sources>,
    pub(super) question_sets: QuestionSets,
    pub(super) learn_stats: Arc<LearnStats>,
    pub(super) marking: Marking,
    pub(super) hub: Hub<i64>,
    pub(super) feed: Arc<Feed>,
}

pub(super) fn build(base: &Foundation) -> DomainRooms {
    let (db, now) = (&base.db, &base.now);
    let members = Members::new(db.clone(), Arc::clone(now));
    let sources = Arc::new(Sources::new(
        db.clone(),
        Arc::clone(&base.storage),
        base.config.zone,
        SourceLimits::from(&*base.config),
        Arc::clone(now),
    ));
    let learn_stats = Arc::new(learn_stats(base));
    let question_sets = question_sets(base, &sources);
    let marking = Marking::new(
        db.clone(),
        Arc::clone(now),
        base.signal.clone(),
        question_sets.clone(),
        Arc::clone(&learn_stats),
    );
    let hub = hub(base);
    DomainRooms {
        auth: auth(base, &members),
        feed: Arc::new(feed(base, &hub)),
        members,
        sources,
        question_sets,
        learn_stats,
        marking,
        hub,
    }
}

fn auth(base: &Foundation, members: &Members) -> Auth {
    let config = &base.config;
    let url = public_url(config);
    let mut origins = config.http.cors_origins.clone();
    origins.push(url.clone());
    let origins = origins
        .iter()
        .map(|origin| origin.trim_end_matches('/').to_owned());
    let options = AuthOptions {
        dev_login: config.auth.dev_login,
        is_local: loopback::is_authority(&config.listen) && loopback::is_url(&url),
        origins: origins.collect(),
        access_ttl: config.auth.access_ttl.delta(),
        refresh_ttl: config.auth.refresh_ttl.delta(),
        refresh_grace: config.auth.refresh_grace.delta(),
        session_ttl: config.auth.session_ttl.delta(),
        secure_cookie: url.starts_with("https://"),
    };
    Auth::new(
        base.db.clone(),
        Arc::clone(&base.now),
        members.clone(),
        &base.secrets,
        options,
    )
}

fn learn_stats(base: &Foundation) -> LearnStats {
    let options = StatsOptions {
        zone: base.config.zone,
        member_batch: base.config.learn_stats.member_batch,
        streak_batch: base.config.learn_stats.streak_batch,
    };
    LearnStats::new(
        base.db.clone(),
        Arc::clone(&base.now),
        base.signal.clone(),
        options,
    )
}

fn question_sets(base: &Foundation, sources: &Arc<Sources>) -> QuestionSets {
    let limits = SetLimits {
        pending_timeout: base.config.question_set.pending_timeout.delta(),
        max_retries: base.config.question_set.max_retries,
        retries_per_run: base.config.question_set.retries_per_run,
        cleanup_batch: base.config.question_set.cleanup_batch,
        quota: Quota {
            per_day: base.config.quotas.question_sets_per_day,
            pending: base.config.quotas.question_sets_pending,
            zone: base.config.zone,
        },
    };
    QuestionSets::new(
        base.db.clone(),
        Arc::clone(&base.now),
        base.signal.clone(),
        Arc::clone(sources),
        limits,
    )
}

fn hub(base: &Foundation) -> Hub<i64> {
    Hub::new(HubOptions {
        per_key: base.config.notification.streams_per_member,
        total: base.config.notification.streams,
        ..HubOptions::default()
    })
}

fn feed(base: &Foundation, hub: &Hub<i64>) -> Feed {
    let options = FeedOptions {
        poll: base.config.notification.poll.duration(),
        heartbeat: schedulers::heartbeat_interval(&base.config),
    };
    let stored = base.looks.signal(NOTIFICATION_CHANNEL);
    let dbs = [base.db.clone(), base.looks.clone()];
    Feed::new(dbs, Arc::clone(&base.now), hub.clone(), stored, options)
}
