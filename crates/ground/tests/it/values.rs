//! What goes in comes out, on either database.

use chrono::{DateTime, NaiveDate, Utc};
use ground::{Database, Dialects, Statements, Value};
use uuid::Uuid;

const TABLE: Dialects = Dialects {
    postgres: "CREATE TABLE thing (id BIGINT PRIMARY KEY, flag BOOLEAN, small INTEGER, part DOUBLE PRECISION, name TEXT,
        data BYTEA, at TIMESTAMPTZ, day DATE, uuid UUID)",
    sqlite: "CREATE TABLE thing (id INTEGER PRIMARY KEY, flag BOOLEAN, small INTEGER, part REAL, name TEXT,
        data BLOB, at TEXT, day TEXT, uuid TEXT)",
};
const INSERT: &str = "INSERT INTO thing (id, flag, small, part, name, data, at, day, uuid)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const SELECT: Dialects = Dialects {
    postgres: "SELECT id, flag, small, part, name, data, at, day, uuid::text AS uuid FROM thing WHERE id = $1",
    sqlite: "SELECT id, flag, small, part, name, data, at, day, uuid FROM thing WHERE id = $1",
};
const NAMED: Dialects = Dialects {
    postgres: "SELECT id FROM thing WHERE id = ANY ($1) AND name = ANY ($2) ORDER BY id",
    sqlite: "SELECT id FROM thing WHERE id IN (SELECT value FROM json_each($1))
        AND name IN (SELECT value FROM json_each($2)) ORDER BY id",
};

#[derive(Debug, PartialEq)]
struct Thing {
    id: i64,
    flag: Option<bool>,
    small: Option<i32>,
    part: Option<f64>,
    name: Option<String>,
    data: Option<Vec<u8>>,
    at: Option<DateTime<Utc>>,
    day: Option<NaiveDate>,
    uuid: Option<String>,
}

ground::from_row!(Thing {
    id,
    flag,
    small,
    part,
    name,
    data,
    at,
    day,
    uuid
});

impl Thing {
    fn nothing(id: i64) -> Self {
        Self {
            id,
            flag: None,
            small: None,
            part: None,
            name: None,
            data: None,
            at: None,
            day: None,
            uuid: None,
        }
    }

    async fn store(&self, db: &Database) {
        let uuid: Option<Uuid> = self.uuid.as_ref().map(|uuid| uuid.parse().unwrap());
        let values = vec![
            self.id.into(),
            self.flag.into(),
            self.small.into(),
            self.part.into(),
            self.name.clone().into(),
            self.data.clone().into(),
            self.at.into(),
            self.day.into(),
            uuid.into(),
        ];
        assert_eq!(db.run(INSERT, values).await.unwrap(), 1);
    }
}

testkit::on_each_database! {
    async fn every_kind_of_value_comes_back_as_it_was(db: testkit::Database) {
        let db = db.connect().await;
        db.run(TABLE, vec![]).await.unwrap();
        let full = Thing {
            flag: Some(true),
            small: Some(i32::MIN),
            part: Some(0.1),
            name: Some("이름 'quoted' \\".to_owned()),
            data: Some(vec![0, 255]),
            at: Some("2026-11-22T10:00:00.123456Z".parse().unwrap()),
            day: NaiveDate::from_ymd_opt(2026, 11, 22),
            uuid: Some(Uuid::now_v7().to_string()),
            ..Thing::nothing(i64::MAX)
        };
        let nothing = Thing::nothing(1);
        for thing in [&full, &nothing] {
            thing.store(&db).await;
            let read: Option<Thing> = db.row(SELECT, vec![thing.id.into()]).await.unwrap();
            assert_eq!(read.as_ref(), Some(thing));
        }
        let lists = |names: &[&str]| vec![Value::ids(&[1, i64::MAX]), Value::texts(names.iter().copied())];
        let found: Vec<i64> = db.scalars(NAMED, lists(&["이름 'quoted' \\", "x"])).await.unwrap();
        assert_eq!(found, [i64::MAX]);
        let found: Vec<i64> = db.scalars(NAMED, lists(&[])).await.unwrap();
        assert!(found.is_empty());
    }

    async fn a_time_is_cut_to_microseconds_as_text_and_as_time(db: testkit::Database) {
        let db = db.connect().await;
        db.run(TABLE, vec![]).await.unwrap();
        let fine: DateTime<Utc> = "2026-11-22T10:00:00.123456999Z".parse().unwrap();
        Thing { at: Some(fine), ..Thing::nothing(1) }.store(&db).await;
        let read: Option<DateTime<Utc>> = db.scalar("SELECT at FROM thing", vec![]).await.unwrap();
        assert_eq!(read.unwrap().to_rfc3339(), "2026-11-22T10:00:00.123456+00:00");
    }
}
