//! Clears what an upload left behind that never ended.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What a killed process left half-written is nobody's after this long.
pub(super) const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes a folder for files being written, and clears away what killed processes left in it a day ago.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    #[allow(
        clippy::disallowed_methods,
        reason = "compared with the file system's times"
    )]
    let now = SystemTime::now();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Some(written) = present(entry.metadata().and_then(|meta| meta.modified()))? else {
            continue;
        };
        if now.duration_since(written).unwrap_or_default() > LEFTOVER_AGE {
            present(std::fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

/// What is not there is no error here. A file where a key has a folder holds no object either.
pub(super) fn present<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
