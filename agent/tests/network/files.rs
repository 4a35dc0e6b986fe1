//! Directories as values.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Contents by paths, which begin with `/`.
pub(crate) type Files = BTreeMap<String, String>;

/// All files below a directory; none if there is no such directory.
pub(crate) fn read(directory: &Path) -> Files {
    let mut files = Files::new();
    add(directory, "", &mut files);
    files
}

/// Writes files below a directory.
pub(crate) fn write(directory: &Path, files: &Files) {
    for (path, content) in files {
        let path = directory.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// The files that are in `new` and not, or different, in `old`.
pub(crate) fn changed(old: &Files, new: &Files) -> Files {
    let is_new = |(path, content): &(&String, &String)| old.get(*path) != Some(*content);
    let changed = new.iter().filter(is_new);
    changed.map(|(path, content)| (path.clone(), content.clone())).collect()
}

fn add(directory: &Path, prefix: &str, files: &mut Files) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let path = format!("{prefix}/{}", entry.file_name().into_string().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            add(&entry.path(), &path, files);
        } else if kind.is_file() {
            let content = fs::read(entry.path()).unwrap();
            files.insert(path, String::from_utf8_lossy(&content).into_owned());
        }
    }
}
