//! The secret behind signatures, kept in a file or given by the operator.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

/// The secret cannot be kept.
#[derive(Debug, Error)]
#[error("the signing secret {path} cannot be made or read: {error}")]
pub struct SecretError {
    path: String,
    error: io::Error,
}

/// The one secret of the service, and the keys drawn from it: a key for one purpose is worth nothing for another.
#[derive(Clone)]
pub struct Secrets {
    root: Vec<u8>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(********)")
    }
}

impl Secrets {
    /// The configured secret.
    pub fn from_text(text: &str) -> Self {
        Self {
            root: text.as_bytes().to_vec(),
        }
    }

    /// The secret kept in the data folder, made on first start. Processes that start at once agree on one.
    ///
    /// # Errors
    /// When the file can be neither read nor made.
    pub fn from_folder(folder: &Path) -> Result<Self, SecretError> {
        let path = folder.join("jwt-secret");
        Self::load(folder, &path).map_err(|error| SecretError {
            path: path.display().to_string(),
            error,
        })
    }

    fn load(folder: &Path, path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        if !path.exists() {
            // Written whole under another name, then linked: nobody can read half a secret, and the first link wins.
            let fresh = folder.join(format!(".jwt-secret-{}", uuid::Uuid::new_v4()));
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&fresh)?;
            let random: [u8; 32] = rand::random();
            file.write_all(hex(&random).as_bytes())?;
            file.sync_all()?;
            let linked = std::fs::hard_link(&fresh, path);
            std::fs::remove_file(&fresh)?;
            match linked {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let mut text = String::new();
        std::fs::File::open(path)?.read_to_string(&mut text)?;
        let text = text.trim();
        if text.len() < 32 {
            return Err(io::Error::other("it has fewer than 32 bytes"));
        }
        Ok(Self::from_text(text))
    }

    /// The key for one purpose.
    pub fn key(&self, purpose: &str) -> Vec<u8> {
        hmac(&self.root, purpose.as_bytes())
    }
}

/// HMAC-SHA256.
pub(super) fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length (RFC 2104, section 3), so this never fails.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length")
    };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_once_agree_on_one_secret_that_others_cannot_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| Secrets::from_folder(folder.path()).unwrap().key("test")))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
        let mode = std::fs::metadata(folder.path().join("jwt-secret"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
