//! `file_inject`.

use super::put_file::put_file;
use crate::command::{Command, Context};
use serde_json::Value;
use xend_guest_protocol::command::FILE_INJECT;
use xend_guest_protocol::file::GuestFile;
use xend_guest_protocol::response::Response;

/// Puts a file, whose path may have a comma.
#[derive(Debug)]
pub struct FileInject;

impl Command for FileInject {
    fn name(&self) -> &'static str {
        FILE_INJECT
    }

    fn about(&self) -> &'static str {
        "Puts a file into the guest, as injectfile does. The value is an object of its path and its \
         contents, each in base64: {\"b64_path\": \"...\", \"b64_file\": \"...\"}."
    }

    fn run(&self, context: &mut Context<'_>, value: Option<&Value>) -> Response {
        put_file(context, GuestFile::from_file_inject(value.unwrap_or(&Value::Null)))
    }
}
