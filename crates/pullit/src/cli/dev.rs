//! `pullit dev`: data for development.

use chrono::NaiveDate;
use clap::Subcommand;

use super::meter::Meter;
use super::{Failure, Start, print};
use crate::seed::{self, SeedError};

/// `pullit dev …`
#[derive(Debug, Subcommand)]
pub(super) enum Dev {
    /// Fill the database with members who have learned for some time: the same arguments give the same rows.
    ///
    /// Each member has one question set of three questions. Six of ten learn about once in 60 days, three of ten every twelfth day, some
    /// every fourth, one of fifty every day; on such a day one to three answers, seven of ten right. The ledgers, the marking results and
    /// the stats agree. Ids follow those that exist.
    Seed {
        /// How many members.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
        members: u32,
        /// How many days they have learned for.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3_650))]
        days: u32,
        /// Another number gives other days and answers.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The last of the days; by default today, in the configured zone.
        #[arg(long, value_name = "yyyy-MM-dd")]
        until: Option<NaiveDate>,
        /// Also where there are members already. Theirs stays as it is.
        #[arg(long)]
        force: bool,
    },
}

impl Dev {
    pub(super) async fn run(self, start: &Start) -> Result<(), Failure> {
        let Self::Seed {
            members,
            days,
            seed,
            until,
            force,
        } = self;
        let app = start.app().await?;
        let until = until.unwrap_or_else(|| app.rooms.learn_stats.day((app.now)()));
        let seed = seed::Seed {
            members,
            days,
            seed,
            until,
            zone: app.config.zone,
            beside_others: force,
        };
        let mut meter = Meter::new("members");
        let planted = seed::plant(
            &app.db,
            &app.rooms.learn_stats,
            &seed,
            &mut |done, total| {
                meter.show(done, total);
            },
        )
        .await;
        drop(meter);
        app.close().await;
        let ids = planted.map_err(|error| match error {
            SeedError::Others(_) | SeedError::Days => Failure::Usage(error.to_string()),
            SeedError::Database(error) => Failure::of(error),
        })?;
        print::line(&format!(
            "Members {} to {} have learned until {until}.",
            ids.start(),
            ids.end()
        ));
        Ok(())
    }
}
