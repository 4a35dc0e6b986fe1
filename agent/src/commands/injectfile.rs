//! `injectfile`.

use super::put_file::put_file;
use crate::command::{Command, Context};
use serde_json::Value;
use xend_guest_protocol::command::INJECTFILE;
use xend_guest_protocol::file::GuestFile;
use xend_guest_protocol::response::Response;

/// Puts a file.
#[derive(Debug)]
pub struct InjectFile;

impl Command for InjectFile {
    fn name(&self) -> &'static str {
        INJECTFILE
    }

    fn about(&self) -> &'static str {
        "Puts a file into the guest. The value is its absolute path, a comma and its contents, all \
         together in base64. A file that exists keeps its owner and mode, and what it was is kept \
         beside it as NAME.bak.TIME, or below /var/lib/xend-guest-agent/backups if programs read \
         all files of its directory. A new one has mode 0600 and the owner of its directory. \
         Missing directories are made. The agent's own files are not replaced."
    }

    fn run(&self, context: &mut Context<'_>, value: Option<&Value>) -> Response {
        put_file(context, GuestFile::from_injectfile(value.unwrap_or(&Value::Null)))
    }
}
