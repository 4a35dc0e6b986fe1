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
         together in base64. A file that exists keeps its owner and mode, and is kept as \
         NAME.bak.TIME; a new one gets mode 0600. Missing directories are made."
    }

    fn run(&self, context: &mut Context<'_>, value: Option<&Value>) -> Response {
        put_file(context, GuestFile::from_injectfile(value.unwrap_or(&Value::Null)))
    }
}
