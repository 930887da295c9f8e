//! The folder as a storage: what stays, what is refused, what is cleared.

use std::time::SystemTime;

use chrono::Utc;
use futures::stream;
use uuid::Uuid;

use super::*;
use crate::platform::storage::leftovers::LEFTOVER_AGE;

fn storage(root: &Path) -> FolderStorage {
    FolderStorage::open(root, UrlSigner::new("http://localhost", *b"key")).unwrap()
}

fn key() -> ObjectKey {
    ObjectKey::of_upload(Utc::now().date_naive(), 1, Uuid::new_v4(), "txt")
}

fn body(
    chunks: &'static [&'static str],
) -> impl Stream<Item = Result<Bytes, io::Error>> + Unpin + Send {
    stream::iter(chunks).map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())))
}

async fn put(
    storage: &FolderStorage,
    key: &ObjectKey,
    chunks: &'static [&'static str],
) -> ObjectMeta {
    let size = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    let staged = storage.stage(size, "text/plain", body(chunks)).await;
    storage.place(staged.unwrap(), key).await.unwrap()
}

fn nothing_waits(root: &Path) -> bool {
    std::fs::read_dir(root.join(".tmp"))
        .unwrap()
        .next()
        .is_none()
}

#[tokio::test]
async fn what_was_put_is_there_with_its_size_type_and_bytes() {
    let root = tempfile::tempdir().unwrap();
    let (storage, key) = (storage(root.path()), key());
    assert_eq!(storage.head(&key).await.unwrap(), None);
    let meta = put(&storage, &key, &["안녕", "하세요"]).await;
    assert_eq!((meta.size, meta.content_type.as_str()), (15, "text/plain"));
    assert_eq!(storage.head(&key).await.unwrap(), Some(meta.clone()));
    let object = storage.open(&key, Some(&meta.etag)).await.unwrap();
    assert_eq!(
        std::fs::read(object.path()).unwrap(),
        "안녕하세요".as_bytes()
    );
    assert_eq!(object.path(), root.path().join(key.as_str()));
    assert!(nothing_waits(root.path()));
}

#[tokio::test]
async fn more_or_fewer_bytes_than_announced_leave_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let storage = storage(root.path());
    let longer = storage.stage(3, "text/plain", body(&["ab", "cd"])).await;
    assert!(matches!(longer, Err(StageError::TooLong)));
    let shorter = storage.stage(5, "text/plain", body(&["ab", "cd"])).await;
    assert!(matches!(shorter, Err(StageError::TooShort(4))));
    let broken = stream::iter([
        Ok(Bytes::from_static(b"ab")),
        Err(io::Error::other("the line went dead")),
    ]);
    let broken = storage.stage(5, "text/plain", broken).await;
    assert!(matches!(broken, Err(StageError::BrokenOff(_))));
    assert!(nothing_waits(root.path()));
}

#[tokio::test]
async fn staged_bytes_that_are_never_placed_are_gone() {
    let root = tempfile::tempdir().unwrap();
    let storage = storage(root.path());
    let staged = storage.stage(2, "text/plain", body(&["ab"])).await.unwrap();
    assert!(!nothing_waits(root.path()));
    drop(staged);
    assert!(nothing_waits(root.path()));
}

#[tokio::test]
async fn a_second_put_replaces_the_first_and_only_its_version_can_be_read() {
    let root = tempfile::tempdir().unwrap();
    let (storage, key) = (storage(root.path()), key());
    let first = put(&storage, &key, &["one"]).await;
    let second = put(&storage, &key, &["two"]).await;
    assert_ne!(first.etag, second.etag);
    let stale = storage.open(&key, Some(&first.etag)).await;
    assert!(matches!(stale, Err(StorageError::Changed)));
    let object = storage.open(&key, Some(&second.etag)).await.unwrap();
    assert_eq!(std::fs::read(object.path()).unwrap(), b"two");
}

#[tokio::test]
async fn deleting_twice_is_as_good_as_once() {
    let root = tempfile::tempdir().unwrap();
    let (storage, key) = (storage(root.path()), key());
    put(&storage, &key, &["one"]).await;
    for _ in 0..2 {
        storage.delete(&key).await.unwrap();
        assert_eq!(storage.head(&key).await.unwrap(), None);
    }
    let gone = storage.open(&key, None).await;
    assert!(matches!(gone, Err(StorageError::Missing)));
    assert!(!root.path().join(".meta").join(key.as_str()).exists());
}

#[tokio::test]
async fn a_deletion_takes_the_folders_that_it_leaves_empty_and_no_others() {
    let root = tempfile::tempdir().unwrap();
    let storage = storage(root.path());
    let [one, two]: [ObjectKey; 2] = ["a/b/one.txt", "a/two.txt"].map(|key| key.parse().unwrap());
    put(&storage, &one, &["one"]).await;
    put(&storage, &two, &["two"]).await;
    storage.delete(&one).await.unwrap();
    assert!(!root.path().join("a/b").exists());
    assert!(storage.head(&two).await.unwrap().is_some());
    storage.delete(&two).await.unwrap();
    assert!(!root.path().join("a").exists());
    put(&storage, &one, &["one"]).await;
    assert!(storage.head(&one).await.unwrap().is_some());
}

#[tokio::test]
async fn many_are_deleted_each_for_itself() {
    let root = tempfile::tempdir().unwrap();
    let storage = storage(root.path());
    let (good, stuck) = (key(), key());
    put(&storage, &good, &["one"]).await;
    std::fs::create_dir_all(root.path().join(stuck.as_str())).unwrap();
    let answers = storage.delete_many(&[stuck, good.clone()]).await;
    assert!(matches!(answers[0], Err(StorageError::Unavailable { .. })));
    assert!(answers[1].is_ok());
    assert_eq!(storage.head(&good).await.unwrap(), None);
}

#[tokio::test]
async fn half_written_files_of_killed_processes_are_cleared_away_after_a_day() {
    let root = tempfile::tempdir().unwrap();
    drop(storage(root.path()));
    let old = root.path().join(".tmp/old");
    let young = root.path().join(".tmp/young");
    std::fs::write(&young, "x").unwrap();
    let two_days_ago = SystemTime::now() - 2 * LEFTOVER_AGE;
    let file = std::fs::File::create(&old).unwrap();
    file.set_modified(two_days_ago).unwrap();
    storage(root.path());
    assert!(!old.exists());
    assert!(young.exists());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_not_ready() {
    let root = tempfile::tempdir().unwrap();
    let storage = storage(root.path());
    storage.check().await.unwrap();
    std::fs::remove_dir_all(root.path().join(".tmp")).unwrap();
    assert!(storage.check().await.is_err());
}
