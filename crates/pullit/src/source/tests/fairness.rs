//! Members take turns, and a document that takes long waits behind those that do not.

use std::time::Duration;

use super::*;

/// Writes down what it reads, in its order; a text that says so takes for ever.
#[derive(Clone, Default)]
struct Listed(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Extract for Listed {
    async fn extract(
        &self,
        file: &Path,
        _: DocumentKind,
        cancel: &CancellationToken,
    ) -> Result<Extracted, ExtractionError> {
        let text = std::fs::read_to_string(file).unwrap();
        self.0.lock().unwrap().push(text.clone());
        if text.starts_with("bomb") {
            cancel.cancelled().await;
            return Err(ExtractionError::Cancelled);
        }
        Ok(Extracted {
            text,
            page_count: None,
        })
    }
}

impl Listed {
    fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

testkit::on_each_database! {
    async fn members_take_turns_at_the_reading_of_documents(db: testkit::Database) {
        let world = World::on(db).await;
        for n in 1..=4 {
            world.source(ALICE, &format!("alice {n}")).await;
        }
        world.source(BOB, "bob 1").await;
        world.source(BOB, "bob 2").await;
        let listed = Listed::default();
        assert_eq!(world.drain(listed.clone()).await, 6);
        assert_eq!(
            listed.read(),
            ["alice 1", "bob 1", "alice 2", "bob 2", "alice 3", "alice 4"]
        );
    }

    async fn a_newcomer_waits_for_no_more_than_one_document_of_each_other(db: testkit::Database) {
        let world = World::on(db).await;
        let mut alices = Vec::new();
        for n in 1..=4 {
            alices.push(world.source(ALICE, &format!("alice {n}")).await);
        }
        for id in &alices[..2] {
            let sql = "UPDATE source SET status = 'READY' WHERE id = $1";
            world.db.write().run(sql, vec![(*id).into()]).await.unwrap();
        }
        world.source(BOB, "bob").await;
        let listed = Listed::default();
        assert_eq!(world.drain(listed.clone()).await, 3);
        assert_eq!(listed.read(), ["alice 3", "bob", "alice 4"]);
    }

    async fn a_document_that_takes_long_waits_behind_those_that_do_not(db: testkit::Database) {
        let world = World::on(db).await;
        let bombs = [world.source(ALICE, "bomb 1").await, world.source(ALICE, "bomb 2").await];
        let listed = Listed::default();
        let mut reader = world.reader(listed.clone());
        reader.shorten_first(Duration::from_millis(50));
        let cancel = CancellationToken::new();
        let running = tokio::spawn({
            let (reader, cancel) = (reader.clone(), cancel.clone());
            async move { reader.run(cancel).await }
        });
        // Both used up their short reading, and one is read with all its time; the other slot stays free.
        let long = Duration::from_secs(20);
        testkit::wait::until("a bomb has the slot of slow documents", long, async || {
            listed.read().len() == 3
        })
        .await;
        let quick = world.source(BOB, "48 bytes of another member").await;
        testkit::wait::until("the other member's document is ready", long, async || {
            world.column(quick, "status").await.as_deref() == Some("READY")
        })
        .await;
        assert_eq!(listed.read().len(), 4, "the second bomb waits for the first one");
        cancel.cancel();
        running.await.unwrap();
        for id in bombs {
            assert_eq!(world.column(id, "status").await.as_deref(), Some("UPLOADED"));
        }
    }
}
