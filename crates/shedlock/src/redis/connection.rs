//! One connection for all calls, made when it is needed and made anew when it is lost.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisResult,
    ServerErrorKind, Value, aio::MultiplexedConnection, io::tcp::socket2::TcpKeepalive,
};

use super::scripts::Script;

/// How long a connection is silent before the kernel asks whether the other side still exists.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// What is asked of the server.
pub(super) enum Call {
    Command(Cmd),
    Script {
        script: &'static Script,
        keys: Vec<Vec<u8>>,
        arguments: Vec<String>,
    },
}

impl Call {
    /// `whole`: with the text of the script, for a server that does not know it.
    fn pack(&self, whole: bool) -> Cmd {
        match self {
            Self::Command(command) => command.clone(),
            Self::Script {
                script,
                keys,
                arguments,
            } => {
                let (verb, what) = if whole {
                    ("EVAL", script.text)
                } else {
                    ("EVALSHA", script.hash.as_str())
                };
                let mut command = redis::cmd(verb);
                command.arg(what).arg(keys.len()).arg(keys).arg(arguments);
                command
            }
        }
    }
}

pub(super) struct Connections {
    client: Client,
    current: Mutex<Current>,
    /// Held while connecting, so that callers who find no connection make one and not many.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Current {
    generation: u64,
    connection: Option<MultiplexedConnection>,
}

// The client holds the password.
impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    pub(super) fn of(client: Client) -> Self {
        let settings = client.get_connection_info();
        let mut tcp = settings.tcp_settings().clone().set_nodelay(true);
        if tcp.keepalive().is_none() {
            tcp = tcp.set_keepalive(TcpKeepalive::new().with_time(KEEPALIVE));
        }
        let client = Client::open(settings.clone().set_tcp_settings(tcp)).unwrap_or(client);
        Self {
            client,
            current: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    /// Asks, and asks once more on a new connection if this one turns out to be lost. Only for calls that may run
    /// twice.
    pub(super) async fn ask(&self, calls: &[Call]) -> RedisResult<Vec<Value>> {
        let connection = self.connection().await?;
        match self.exchange(connection, calls).await {
            Err(lost) if is_lost(&lost) => match self.ask_once(calls).await {
                Ok(answers) if !answers.iter().any(is_refusal) => Ok(answers),
                // The first calls may have done it, whatever became of the second.
                _ => Err(lost),
            },
            answers => answers,
        }
    }

    /// Asks. A connection that is lost is an error, and what became of the calls is unknown.
    pub(super) async fn ask_once(&self, calls: &[Call]) -> RedisResult<Vec<Value>> {
        let connection = self.connection().await?;
        self.exchange(connection, calls).await
    }

    async fn connection(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        if let Some(connection) = self.current().get() {
            return Ok(connection);
        }
        let _alone = self.connecting.lock().await;
        if let Some(connection) = self.current().get() {
            return Ok(connection);
        }
        // The caller limits the whole call.
        let unlimited = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&unlimited)
            .await?;
        let mut current = self.current();
        current.generation += 1;
        current.connection = Some(connection.clone());
        Ok((current.generation, connection))
    }

    async fn exchange(
        &self,
        (generation, mut connection): (u64, MultiplexedConnection),
        calls: &[Call],
    ) -> RedisResult<Vec<Value>> {
        let mut unanswered = Unanswered {
            connections: self,
            generation,
            answered: false,
        };
        let mut answers = send(&mut connection, calls, false).await;
        // The server does not know a script: it was restarted, or told to forget them. Nothing was done.
        if let Ok(values) = &answers
            && values.iter().any(is_unknown_script)
        {
            answers = send(&mut connection, calls, true).await;
        }
        unanswered.answered = !answers.as_ref().is_err_and(is_lost);
        answers
    }

    // No code that can panic runs under this lock, so poison means nothing.
    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn get(&self) -> Option<(u64, MultiplexedConnection)> {
        let connection = self.connection.clone()?;
        Some((self.generation, connection))
    }
}

/// Lets the next call make a connection when this one was lost, or gave no answer while somebody waited for
/// it: on a dead network it would not give any for minutes. Other calls keep it until they are answered.
struct Unanswered<'a> {
    connections: &'a Connections,
    generation: u64,
    answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let mut current = self.connections.current();
            if current.generation == self.generation {
                current.connection = None;
            }
        }
    }
}

async fn send(
    connection: &mut MultiplexedConnection,
    calls: &[Call],
    whole: bool,
) -> RedisResult<Vec<Value>> {
    let mut pipeline = Pipeline::with_capacity(calls.len());
    for call in calls {
        pipeline.add_command(call.pack(whole));
    }
    connection
        .send_packed_commands(&pipeline, 0, calls.len())
        .await
}

fn is_refusal(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(_))
}

fn is_unknown_script(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

/// Whether the connection is of no use any more.
fn is_lost(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse)
}
