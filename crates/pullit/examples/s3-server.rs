//! A private S3 server for the tests and benchmarks: `s3-server ROOT ADDRESS ACCESS_KEY SECRET_KEY [DELETIONS]`.
//!
//! It checks signatures and expiry. A bucket is a folder in ROOT, an object a file in it. It says `listening` once it does, and ends with
//! its standard input, so that it never outlives who started it. With DELETIONS it dies, as if killed, when it has deleted so many objects.
//!
//! What s3s-fs leaves out is added here: `If-Match` on reading, an answer for each key of a deletion, and deleting what belongs to an
//! object with it.

#![allow(clippy::print_stdout, reason = "it says so when it listens")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a server of the tests"
)]

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    ETag, ETagCondition, Error, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

struct Server {
    objects: FileSystem,
    files: Arc<Files>,
}

/// The objects as files, and what s3s-fs keeps beside them.
struct Files {
    root: PathBuf,
    deleted: AtomicU64,
    dies_after: u64,
}

impl Files {
    /// Deletes an object. What is not there is deleted already.
    fn remove(&self, bucket: &str, key: &str) -> std::io::Result<()> {
        if self.deleted.load(Ordering::SeqCst) >= self.dies_after {
            std::process::abort();
        }
        if present(std::fs::remove_file(self.root.join(bucket).join(key)))? {
            self.deleted.fetch_add(1, Ordering::SeqCst);
        }
        let encoded = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let name = format!(".bucket-{}.object-{}", encoded(bucket), encoded(key));
        for kind in ["metadata", "internal"] {
            present(std::fs::remove_file(
                self.root.join(format!("{name}.{kind}.json")),
            ))?;
        }
        Ok(())
    }
}

fn present(removed: std::io::Result<()>) -> std::io::Result<bool> {
    match removed {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true),
    }
}

impl Server {
    /// Deletes objects, each for itself; an answer for each, in their order.
    async fn remove(
        &self,
        bucket: String,
        keys: Vec<String>,
    ) -> Vec<(String, std::io::Result<()>)> {
        let files = Arc::clone(&self.files);
        let removal = tokio::task::spawn_blocking(move || {
            let remove = |key: String| {
                let removed = files.remove(&bucket, &key);
                (key, removed)
            };
            keys.into_iter().map(remove).collect()
        });
        removal.await.expect("delete files")
    }

    async fn bucket_exists(&self, bucket: &str) -> S3Result<()> {
        match tokio::fs::metadata(self.files.root.join(bucket)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(s3_error!(NoSuchBucket)),
        }
    }
}

fn matches(condition: Option<&ETagCondition>, found: Option<&ETag>) -> S3Result<()> {
    match (condition, found) {
        (Some(ETagCondition::ETag(wanted)), Some(found)) if !found.strong_cmp(wanted) => {
            Err(s3_error!(PreconditionFailed))
        }
        _ => Ok(()),
    }
}

#[async_trait::async_trait]
impl S3 for Server {
    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        self.bucket_exists(&request.input.bucket).await?;
        self.objects.put_object(request).await
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        self.bucket_exists(&request.input.bucket).await?;
        let condition = request.input.if_match.clone();
        let answer = self.objects.get_object(request).await?;
        matches(condition.as_ref(), answer.output.e_tag.as_ref())?;
        Ok(answer)
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let condition = request.input.if_match.clone();
        let answer = self.objects.head_object(request).await?;
        matches(condition.as_ref(), answer.output.e_tag.as_ref())?;
        Ok(answer)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.objects.list_objects_v2(request).await
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, .. } = request.input;
        self.bucket_exists(&bucket).await?;
        for (_, removed) in self.remove(bucket, vec![key]).await {
            removed.map_err(|error| s3_error!(AccessDenied, "{error}"))?;
        }
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        self.bucket_exists(&bucket).await?;
        if delete.objects.len() > 1_000 {
            return Err(s3_error!(MalformedXML));
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        let keys = delete.objects.into_iter().map(|object| object.key);
        for (key, removed) in self.remove(bucket, keys.collect()).await {
            match removed {
                Ok(()) => deleted.push(DeletedObject {
                    key: Some(key),
                    ..DeletedObject::default()
                }),
                Err(error) => errors.push(Error {
                    key: Some(key),
                    code: Some("AccessDenied".to_owned()),
                    message: Some(error.to_string()),
                    ..Error::default()
                }),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }
}

/// The server. A benchmark runs it as a part of itself.
#[allow(unreachable_pub, reason = "a benchmark runs it as a part of itself")]
pub fn main() {
    let arguments = std::env::args()
        .skip_while(|argument| argument != "s3-server" && !argument.ends_with("/s3-server"));
    let arguments = arguments.skip(1).collect::<Vec<_>>();
    let [root, address, access_key, secret_key, more @ ..] = arguments.as_slice() else {
        panic!("s3-server ROOT ADDRESS ACCESS_KEY SECRET_KEY [DELETIONS]");
    };
    std::thread::spawn(|| {
        let _ended = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let files = Files {
        root: root.into(),
        deleted: AtomicU64::new(0),
        dies_after: more
            .first()
            .map_or(u64::MAX, |text| text.parse().expect("a number")),
    };
    let server = Server {
        objects: FileSystem::new(root).expect("open the folder"),
        files: Arc::new(files),
    };
    let mut builder = S3ServiceBuilder::new(server);
    builder.set_auth(SimpleAuth::from_single(
        access_key.as_str(),
        secret_key.as_str(),
    ));
    let service = builder.build();
    let runtime = tokio::runtime::Runtime::new().expect("start a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await.expect("listen");
        println!("listening");
        loop {
            let Ok((connection, _)) = listener.accept().await else {
                continue;
            };
            let service = service.clone();
            tokio::spawn(async move {
                let connections = auto::Builder::new(TokioExecutor::new());
                // Whoever hung up is gone.
                let _ = connections
                    .serve_connection(TokioIo::new(connection), service)
                    .await;
            });
        }
    });
}
