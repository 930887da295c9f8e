//! Without a database: what a cycle costs before any statement.

use shedlock::MemoryLockProvider;

use crate::rounds::{Rounds, cycle, lock};

pub(crate) async fn run(rounds: &Rounds) {
    for tasks in [1, 8] {
        let provider = MemoryLockProvider::new("bench");
        rounds
            .alone("memory", tasks, |task, counter| {
                let (provider, lock) = (provider.clone(), lock(task));
                async move {
                    loop {
                        cycle(&provider, &lock).await;
                        if !counter.again() {
                            break;
                        }
                    }
                }
            })
            .await;
    }
}
