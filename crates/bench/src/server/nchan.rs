//! nginx with nchan, the peer.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use rustix::process::geteuid;

use super::child::{Child, free_address, new_folder};
use crate::error::LoadError;

/// Starts nginx with a configuration of its own in a temporary folder.
pub(super) async fn start(
    nginx: &Path,
    workers: usize,
    heartbeats: bool,
) -> Result<(SocketAddr, Child), LoadError> {
    let address = free_address()?;
    let folder = new_folder()?;
    let file = folder.path().join("nginx.conf");
    let text = configuration(address, workers, heartbeats);
    fs::write(&file, text).map_err(LoadError::Machine)?;
    let mut command = Command::new(nginx);
    command.arg("-p").arg(folder.path()).arg("-c").arg(&file);
    command.args(["-e", "output"]);
    let hint = "Install nginx and libnginx-mod-nchan, or measure without the peer (--no-peer)";
    let child = Child::start(command, folder, address, hint).await?;
    Ok((address, child))
}

/// Paths as those of the example `event_server`. Messages are forgotten at once, so that what they take is
/// not counted as the connections'.
fn configuration(address: SocketAddr, workers: usize, heartbeats: bool) -> String {
    // Started as root, nginx would give its workers to a user who may not exist.
    let user = if geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let ping = if heartbeats {
        "nchan_eventsource_ping_interval 3;
            nchan_eventsource_ping_event heartbeat;
            nchan_eventsource_ping_data ping;
            nchan_eventsource_ping_comment '';"
    } else {
        "nchan_eventsource_ping_interval 0;"
    };
    format!(
        "load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
{user}
daemon off;
pid nginx.pid;
error_log output warn;
worker_processes {workers};
events {{
    worker_connections 20000;
}}
http {{
    access_log off;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_buffer_size 128k;
    client_body_temp_path bodies;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    nchan_shared_memory_size 1G;
    server {{
        listen {address} backlog=4096;
        location = /subscribe {{
            nchan_subscriber eventsource;
            nchan_channel_id $arg_key;
            nchan_subscriber_first_message newest;
            {ping}
        }}
        location = /publish {{
            nchan_publisher;
            nchan_channel_id $arg_key;
            nchan_message_buffer_length 1;
            nchan_message_timeout 5s;
        }}
    }}
}}
"
    )
}
