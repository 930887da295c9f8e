//! A RabbitMQ of its own for a test.

use std::{fs, path::Path, process::Command};

use rustix::process::Signal;

use super::daemon::{Daemon, Home, TRIES, free_port};

/// The one of Debian's package that does not insist on the folders of the system.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// A RabbitMQ node that a test may crash.
#[derive(Debug)]
pub struct RabbitMq {
    node: Daemon,
    ports: Ports,
    /// Erlang's name server: without one of its own the node would start one and leave it behind.
    _names: Daemon,
    home: Home,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    amqp: u16,
    names: u16,
    nodes: u16,
}

impl RabbitMq {
    /// Starts a node with these virtual hosts, in which `guest` may do everything. It takes a while.
    ///
    /// # Panics
    /// When RabbitMQ is not installed or does not start.
    pub async fn start(virtual_hosts: &[&str]) -> Self {
        assert!(
            Path::new(SERVER).exists(),
            "this test needs RabbitMQ: run ./scripts/test, which installs it"
        );
        let home = Home::new("rabbitmq");
        configure(&home, virtual_hosts);
        for _ in 0..TRIES {
            let ports = Ports {
                amqp: free_port(),
                names: free_port(),
                nodes: free_port(),
            };
            let names = name_server(&home, ports);
            let mut node = boot(&home, ports);
            if node.ready(is_ready).await {
                return Self {
                    node,
                    ports,
                    _names: names,
                    home,
                };
            }
            let output = node.output();
            assert!(
                output.contains("eaddrinuse") || output.contains("already a epmd running"),
                "RabbitMQ did not start: {output}"
            );
        }
        panic!("RabbitMQ found no free ports in {TRIES} tries");
    }

    /// A virtual host of the node, for `guest`; it stays the same over restarts.
    pub fn url(&self, virtual_host: &str) -> String {
        format!(
            "amqp://guest:guest@127.0.0.1:{}/{virtual_host}",
            self.ports.amqp
        )
    }

    /// SIGKILL: every connection is cut, and what was not confirmed may be gone.
    pub async fn crash(&mut self) {
        self.node.end(Signal::KILL).await;
    }

    /// Crashes it and starts it again on the same port and the same data. Returns when it takes connections.
    ///
    /// # Panics
    /// When it does not come back.
    pub async fn restart(&mut self) {
        self.crash().await;
        self.node = boot(&self.home, self.ports);
        let back = self.node.ready(is_ready).await;
        assert!(back, "RabbitMQ did not come back: {}", self.node.output());
    }
}

fn is_ready(node: &Daemon) -> bool {
    node.output().contains("Server startup complete")
}

fn configure(home: &Home, virtual_hosts: &[&str]) {
    let hosts: Vec<_> = virtual_hosts
        .iter()
        .map(|name| serde_json::json!({"name": name}))
        .collect();
    let permissions: Vec<_> = virtual_hosts
        .iter()
        .map(|name| {
            serde_json::json!({"user": "guest", "vhost": name, "configure": ".*", "write": ".*", "read": ".*"})
        })
        .collect();
    let definitions = serde_json::json!({
        "users": [{"name": "guest", "password": "guest", "tags": "administrator"}],
        "vhosts": hosts,
        "permissions": permissions,
    });
    // Beside the server's own folder, which is not ours to write.
    let file = |name: &str| home.path().with_file_name(name);
    let write = |name: &str, text: &str| {
        fs::write(file(name), text).unwrap_or_else(|error| panic!("write {name}: {error}"));
    };
    write("definitions.json", &definitions.to_string());
    write("enabled_plugins", "[].\n");
    write(
        "rabbitmq.conf",
        &format!(
            "vm_memory_high_watermark.absolute = 512MB\n\
             disk_free_limit.absolute = 50MB\n\
             raft.wal_max_size_bytes = 33554432\n\
             log.file = false\n\
             log.console = true\n\
             log.console.level = info\n\
             load_definitions = {}\n",
            file("definitions.json").display()
        ),
    );
}

fn with_names(command: &mut Command, ports: Ports) -> &mut Command {
    command
        .env("ERL_EPMD_PORT", ports.names.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env(
            "RABBITMQ_NODENAME",
            format!("pullit-{}@localhost", ports.amqp),
        )
}

fn name_server(home: &Home, ports: Ports) -> Daemon {
    let mut command = home.command("epmd");
    with_names(&mut command, ports).args(["-address", "127.0.0.1"]);
    Daemon::start("epmd", home, &mut command)
}

fn boot(home: &Home, ports: Ports) -> Daemon {
    let beside = |name: &str| home.path().with_file_name(name);
    let mut command = home.command(SERVER);
    with_names(&mut command, ports)
        .env("HOME", home.path())
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", ports.amqp.to_string())
        .env("RABBITMQ_DIST_PORT", ports.nodes.to_string())
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("RABBITMQ_CONFIG_FILE", beside("rabbitmq.conf"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", beside("none"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", beside("enabled_plugins"))
        .env("RABBITMQ_MNESIA_BASE", home.path().join("data"))
        .env("RABBITMQ_LOG_BASE", home.path())
        // The script then becomes the node, instead of standing before it: what we kill is the node itself.
        .env("RABBITMQ_ALLOW_INPUT", "true")
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-noinput +S 1:1 +SDio 1 -kernel inet_dist_use_interface {127,0,0,1}",
        );
    Daemon::start("rabbitmq", home, &mut command)
}
