//! `pullit serve`: a node, until it is asked to stop.

use std::net::SocketAddr;

use clap::Args;
use tokio::net::TcpListener;

use super::signals::Signals;
use super::{Failure, Start, outside, print};
use crate::app::{App, public_url};
use crate::auth::SignInLink;
use crate::platform::config::Config;
use crate::platform::{loopback, open_files, telemetry};
use crate::server::{Listeners, Roles, Running};

/// `pullit serve`
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// What this node does: api, scheduler, relay, worker (comma-separated).
    #[arg(long, default_value = "api,scheduler,relay,worker")]
    roles: String,
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The folder of everything that this node keeps in files.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
}

impl Serve {
    pub(super) async fn run(self, start: &Start) -> Result<(), Failure> {
        let roles: Roles = self.roles.parse().map_err(Failure::Usage)?;
        let flags = [("listen", self.listen), ("data_dir", self.data_dir)];
        let flags = flags
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect();
        let mut config = start.config(flags)?;
        // Before the hub and the rooms, which keep the handles of their measurements.
        telemetry::metrics();
        let mut signals = Signals::listen().map_err(Failure::of)?;
        let listener = listen(if roles.api { &config.listen } else { UNUSED }).await?;
        let probes = match config.http.probes.as_str() {
            "" => None,
            address => Some(listen(address).await?),
        };
        let address = listener.local_addr().map_err(Failure::of)?;
        if roles.api {
            safe(&config, address)?;
            config.listen = address.to_string();
            let room = open_files::room_for_clients();
            config.notification.streams =
                open_files::streams_within(room, config.notification.streams);
        }
        let app = tokio::select! {
            app = App::build(config, outside()?) => app?,
            () = signals.stop() => {
                tracing::info!("stopped before the start was over");
                return Ok(());
            }
        };
        let url = public_url(&app.config);
        let dev_login = app.config.auth.dev_login;
        let is_embedded = dev_login && !app.db.dialect().is_postgres();
        let probed = probes.as_ref().and_then(|probes| probes.local_addr().ok());
        let listeners = Listeners {
            api: listener,
            probes,
        };
        let running = Running::start(app, roles, listeners)
            .await
            .map_err(Failure::of)?;
        let link = if roles.api && is_embedded {
            operators_link(&running.app).await
        } else {
            None
        };
        announce(&url, address, roles, dev_login, link);
        if let Some(address) = probed {
            print::line(&format!("Probes:       http://{address}/readyz"));
        }
        let gave_up = tokio::select! {
            () = signals.stop() => None,
            reason = running.gave_up() => Some(reason),
        };
        tracing::info!("stopping; a second signal ends the node at once");
        tokio::select! {
            () = running.stop() => {}
            () = signals.stop() => {
                return Err(Failure::Failed(
                    "ended at once by a second signal: what was under way is taken over when its lease has run out".to_owned(),
                ));
            }
        }
        tracing::info!("stopped");
        gave_up.map_or(Ok(()), |reason| Err(Failure::Failed(reason)))
    }
}

/// A node that answers no HTTP must not be kept from starting by one that does, on the same machine.
const UNUSED: &str = "127.0.0.1:0";

async fn listen(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidInput => Failure::Usage(format!(
                "listen `{address}` is no address and port: {error}"
            )),
            _ => Failure::Failed(format!("cannot listen on {address}: {error}")),
        })
}

/// What must not be served to the world.
fn safe(config: &Config, address: SocketAddr) -> Result<(), Failure> {
    if config.auth.dev_login && !address.ip().is_loopback() {
        return Err(Failure::Usage(format!(
            "auth.dev_login is on: anybody who reaches {address} could sign in as anybody. \
             Set auth.dev_login = false (PULLIT_AUTH__DEV_LOGIN=false), or listen on a loopback address"
        )));
    }
    let url = &config.http.public_url;
    if config.auth.dev_login && !url.is_empty() && !loopback::is_url(url) {
        return Err(Failure::Usage(format!(
            "auth.dev_login is on: anybody who reaches http.public_url `{url}` could sign in as anybody. \
             Set auth.dev_login = false (PULLIT_AUTH__DEV_LOGIN=false), or use a loopback address"
        )));
    }
    if address.ip().is_unspecified() && config.http.public_url.is_empty() {
        return Err(Failure::Usage(
            "http.public_url is required when listening on every address: upload URLs are made with it".to_owned(),
        ));
    }
    Ok(())
}

/// The way to the console on a fresh machine. A node that cannot make it runs all the same.
async fn operators_link(app: &App) -> Option<SignInLink> {
    match app.auth.make_first_link(&app.config.node_id).await {
        Ok(link) => link,
        Err(error) => {
            tracing::warn!(%error, "no sign-in link was made; use `pullit members link`");
            None
        }
    }
}

fn announce(
    url: &str,
    address: SocketAddr,
    roles: Roles,
    dev_login: bool,
    link: Option<SignInLink>,
) {
    if !roles.api {
        print::line("Pullit is running without the api role: it does not listen.");
        return;
    }
    print::line(&format!("Pullit is listening on http://{address}"));
    if dev_login {
        print::line(&format!(
            "Sign in:      curl -X POST {url}/auth/dev-login -H 'content-type: application/json' -d '{{\"email\":\"you@example.com\"}}'"
        ));
    } else {
        print::line("Sign in:      the development sign-in is off");
    }
    print::line(&format!("API:          {url}/docs"));
    print::line(&format!(
        "Console:      {url}/admin   (an operator signs in by: pullit members link --email E)"
    ));
    if let Some(link) = link {
        let (token, email) = (link.token, link.member.email);
        print::line(&format!(
            "Operator:     {url}/auth/link?token={token}   (signs in {email}: once, within five minutes)"
        ));
    }
}
