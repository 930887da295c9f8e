//! Redis.

use redis::{Client, aio::MultiplexedConnection};
use shedlock::RedisLockProvider;

use crate::rounds::{Counter, Rounds, cycle, lock};

#[path = "../../src/redis/scripts.rs"]
#[allow(
    dead_code,
    reason = "of the library's statements only some are measured"
)]
mod scripts;

use scripts::{RELEASE, Script, TAKE};

pub(crate) async fn run(rounds: &Rounds) {
    let url = std::env::var("PULLIT_TEST_REDIS_URL").expect("a server");
    let client = Client::open(url).expect("a URL");
    for tasks in [1, 8] {
        let ours = |task, counter: Counter| {
            let provider = RedisLockProvider::new(client.clone(), "bench");
            let lock = lock(task);
            async move {
                loop {
                    cycle(&provider, &lock).await;
                    if !counter.again() {
                        break;
                    }
                }
            }
        };
        let raw = |task, counter: Counter| {
            let client = client.clone();
            async move {
                let connection = client.get_multiplexed_async_connection();
                let mut connection = connection.await.expect("a connection");
                let key = format!("job-lock:default:raw-{task}");
                let fence = format!("shedlock-fence:{{{key}}}");
                let owner = format!("raw:{task}");
                loop {
                    let keys = [key.as_str(), fence.as_str()];
                    let taken = ask(&mut connection, &TAKE, &keys, [&owner, "60000"]).await;
                    assert!(matches!(taken, redis::Value::Array(_)), "{taken:?}");
                    let released = ask(&mut connection, &RELEASE, &keys[..1], [&owner, "0"]).await;
                    assert_eq!(released, redis::Value::Int(1));
                    if !counter.again() {
                        break;
                    }
                }
            }
        };
        rounds.compare("redis", tasks, ours, raw).await;
    }
}

async fn ask(
    connection: &mut MultiplexedConnection,
    script: &Script,
    keys: &[&str],
    arguments: [&str; 2],
) -> redis::Value {
    let mut command = redis::cmd("EVALSHA");
    command.arg(&script.hash).arg(keys.len());
    command.arg(keys).arg(&arguments);
    command
        .query_async(connection)
        .await
        .expect("the script is known since ours ran")
}
