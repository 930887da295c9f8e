//! `pullit config`: the effective settings.

use clap::Subcommand;

use super::{Failure, Start, print};
use crate::platform::config::{load, settings};

/// `pullit config …`
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Every setting, secrets masked, and where its value came from.
    Show {
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

impl ConfigCommand {
    pub(super) fn run(self, start: &Start) -> Result<(), Failure> {
        let Self::Show { json } = self;
        let (config, raw) = load(&start.layers)?;
        let settings = settings(&config, &raw, &start.layers.flags);
        if json {
            return print::json(&settings);
        }
        let rows: Vec<_> = settings
            .into_iter()
            .map(|setting| vec![setting.key, setting.value, setting.origin])
            .collect();
        print::table(&["SETTING", "VALUE", "FROM"], &rows);
        Ok(())
    }
}
