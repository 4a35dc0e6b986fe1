//! The log of a guest's console.

use crate::core::error::Error;
use crate::core::ports::CONSOLE_TAIL;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The directory in which xenconsoled logs consoles, if it is started with `--log=guest`.
const LOG_DIR: &str = "/var/log/xen/console";

/// The end of what a guest has printed.
pub(super) fn tail(name: &str) -> Result<Vec<u8>, Error> {
    // A name with slashes must not lead out of the directory.
    let file = Path::new(LOG_DIR).join(format!("guest-{}.log", name.replace('/', "_")));
    read_tail(&file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Unsupported(format!(
            "{} is not there: start xenconsoled with --log=guest, then it keeps what guests print",
            file.display()
        )),
        _ => Error::backend("The console's log cannot be read", error),
    })
}

fn read_tail(file: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(file)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(CONSOLE_TAIL as u64)))?;
    let mut tail = Vec::new();
    file.take(CONSOLE_TAIL as u64).read_to_end(&mut tail)?;
    Ok(tail)
}
