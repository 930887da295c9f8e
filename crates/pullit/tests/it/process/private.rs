//! What other users of the machine see of the data folder: nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::pullit;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn every_mode(folder: &Path, modes: &mut Vec<(String, u32)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        modes.push((path.display().to_string(), mode(&path)));
        if path.is_dir() {
            every_mode(&path, modes);
        }
    }
}

#[tokio::test]
async fn a_data_folder_that_was_open_to_all_is_private_after_a_start() {
    let command = pullit();
    let folder = command.folder().join("data");
    std::fs::create_dir(&folder).unwrap();
    let secret = folder.join("jwt-secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    for (path, mode) in [(&folder, 0o755), (&secret, 0o644)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let node = command.start().await;
    let mut modes = Vec::new();
    every_mode(&folder, &mut modes);
    assert_eq!(mode(&folder), 0o700);
    assert!(modes.len() >= 3, "{modes:?}");
    for (path, mode) in modes {
        assert_eq!(mode & 0o077, 0, "{path} {mode:o}\n{}", node.output());
    }
}
