//! Directories of S-expressions, one file for each UUID.

use crate::core::model::{Uuid, parse_uuid};
use crate::durable;
use crate::state_file;
use crate::sxp::{Limits, Sxp, pretty, read_one};
use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// The width of printed S-expressions.
const WIDTH: usize = 100;

/// The UUID that a file is named after.
fn uuid_in_name(path: &Path) -> Option<Uuid> {
    parse_uuid(path.file_stem()?.to_str()?).ok()
}

/// Whether a file has this extension.
pub(super) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension() == Some(OsStr::new(extension))
}

/// Writes an S-expression, replacing an earlier file.
pub(super) fn write(path: &Path, tree: &Sxp) -> io::Result<()> {
    durable::replace(path, format!("{}\n", pretty(tree, WIDTH)).as_bytes())
}

/// Reads the files `UUID.extension` of a directory. A damaged file is set aside.
pub(super) fn read_all<T>(
    dir: &Path,
    extension: &str,
    read: impl Fn(&Sxp, Uuid) -> Result<T, String>,
) -> io::Result<Vec<(Uuid, T)>> {
    let paths = state_file::entries(dir)?;
    durable::remove_unfinished(dir)?;
    let mut values = Vec::new();
    for path in paths {
        let Some(uuid) = uuid_in_name(&path).filter(|_| has_extension(&path, extension)) else {
            continue;
        };
        let parse = |text: &[u8]| {
            let tree = read_one(text, &Limits::STORED).map_err(|reason| format!("{reason:#}"))?;
            read(&tree, uuid)
        };
        values.extend(state_file::load(&path, parse)?.sound().map(|value| (uuid, value)));
    }
    Ok(values)
}
