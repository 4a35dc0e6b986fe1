//! Connections to XenStore, for requests and for reports.

use std::path::Path;
use std::time::Duration;
use xend_xenstore::{Client, OpenError};

/// How long a reply of XenStore may take.
const REPLY_LIMIT: Duration = Duration::from_secs(20);

/// Connects to the device or socket at `path`, or to the machine's own XenStore.
pub fn connect(path: Option<&Path>) -> Result<Client, OpenError> {
    let mut client = match path {
        Some(path) => Client::open_path(path)?,
        None => Client::open()?,
    };
    client.set_reply_limit(REPLY_LIMIT);
    Ok(client)
}
