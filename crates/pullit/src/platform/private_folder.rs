//! The data folder is the service's alone: other users of the machine read neither the secret nor a document.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use rustix::fs::Mode;

/// What others may do with a file or a folder.
const OTHERS: u32 = 0o077;
/// Everybody's folder, such as `/tmp`.
const STICKY: u32 = 0o1000;
/// What lies in the data folder by the service's own doing; nothing else in it is touched.
const OURS: &[&str] = &[
    "pullit.db",
    "pullit.db-wal",
    "pullit.db-shm",
    "jwt-secret",
    "objects",
    "downloads",
];

/// From here on each file that this process makes is its user's alone.
pub fn files_are_private() {
    rustix::process::umask(Mode::from_raw_mode(OTHERS));
}

/// Makes the data folder, if it is missing, and takes it and what lies in it from all other users.
///
/// # Errors
/// The folder cannot be made, or is not this user's to change, or is everybody's.
pub fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    if std::fs::metadata(folder)?.permissions().mode() & STICKY != 0 {
        return Err(io::Error::other("this folder is everybody's"));
    }
    // The folder first: from then on nobody else can reach what is still open inside.
    take(folder, &std::fs::metadata(folder)?)?;
    for name in OURS {
        take_all(&folder.join(name))?;
    }
    Ok(())
}

/// Folders and files, no matter how deep; links lead elsewhere and are left alone.
fn take_all(path: &Path) -> io::Result<()> {
    let mut paths = vec![path.to_owned()];
    while let Some(path) = paths.pop() {
        let metadata = match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        if metadata.is_symlink() {
            continue;
        }
        // Another node may remove a file meanwhile.
        match take(&path, &metadata) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            taken => taken?,
        }
        if metadata.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                paths.push(entry?.path());
            }
        }
    }
    Ok(())
}

fn take(path: &Path, metadata: &std::fs::Metadata) -> io::Result<()> {
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn open_to_all(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_data_folder_that_was_open_to_all_is_the_services_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("data");
        let deep = folder.join("objects/sources/7");
        std::fs::create_dir_all(&deep).unwrap();
        let files = [
            folder.join("pullit.db"),
            folder.join("jwt-secret"),
            deep.join("a.pdf"),
        ];
        for file in &files {
            std::fs::write(file, "x").unwrap();
            open_to_all(file, 0o644);
        }
        let foreign = folder.join("notes.txt");
        std::fs::write(&foreign, "x").unwrap();
        open_to_all(&foreign, 0o644);
        std::os::unix::fs::symlink(&foreign, folder.join("objects/link")).unwrap();
        open_to_all(&folder, 0o755);
        open_to_all(&deep, 0o755);

        make_private(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&deep), 0o700);
        for file in &files {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
        assert_eq!(mode(&foreign), 0o644, "it is not ours");
    }

    #[test]
    fn a_new_data_folder_is_made_private_and_everybodys_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("new/data");
        make_private(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        let shared = home.path().join("shared");
        std::fs::create_dir(&shared).unwrap();
        open_to_all(&shared, 0o1777);
        assert!(make_private(&shared).is_err());
        assert_eq!(mode(&shared), 0o1777);
    }
}
