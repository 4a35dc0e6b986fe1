//! Programs in a directory as commands.
//!
//! A program is run as `[PATH, NAME]` without a shell, with the request's value as JSON text on
//! standard input (nothing if it has none). Its exit status is the returncode, the last line that
//! it prints on standard output the message, which may be secret. The last line on standard error
//! is for the log.

use crate::command::Answer;
use crate::log::Condition;
use crate::root::{self, words};
use crate::runner::{Finished, Program};
use crate::system::System;
use serde_json::Value;
use std::cell::RefCell;
use std::io;
use std::time::Duration;
use xend_guest_protocol::response::Response;

/// The most plug-ins: their names fit into the answer of `features`.
const MAX_PLUGINS: usize = 32;

/// The longest name of a plug-in, in bytes.
const MAX_NAME: usize = 32;

/// The plug-ins of a directory.
#[derive(Debug)]
pub struct Plugins {
    /// Its path below the root; empty for no plug-ins.
    pub directory: String,
    /// How long a plug-in may run.
    pub limit: Duration,
    refused: RefCell<Condition>,
}

impl Plugins {
    /// Those of a directory; each may run for `limit`.
    pub fn new(directory: String, limit: Duration) -> Self {
        Self { directory, limit, refused: RefCell::default() }
    }

    /// The names of all plug-ins, sorted: programs that only root, or the agent's own user, can
    /// change. Others that look like plug-ins are logged when that changes.
    pub fn names(&self, system: &System) -> Vec<String> {
        if self.directory.is_empty() {
            return Vec::new();
        }
        let mut refused = Vec::new();
        // A directory that cannot be listed has no plug-ins; there need not be one.
        let mut names = system.root.list(&self.directory).unwrap_or_default();
        names.retain(|name| {
            let path = self.path(name);
            match system.root.program(&path) {
                _ if !is_name(name) => false,
                Ok(root::Program::Yes) => true,
                Ok(root::Program::Link) => {
                    refused.push(format!("{path} (a symbolic link)"));
                    false
                }
                Ok(root::Program::Unsafe) => {
                    refused.push(format!(
                        "{path} (other users can change it, or a directory above it)"
                    ));
                    false
                }
                Ok(root::Program::No) | Err(_) => false,
            }
        });
        names.truncate(MAX_PLUGINS);
        let mut condition = self.refused.borrow_mut();
        if refused.is_empty() {
            condition.ends();
        } else {
            condition.begins(format_args!("Not used as commands: {}", refused.join("; ")));
        }
        names
    }

    /// Runs the plug-in `name`, which is one of [`names`](Self::names).
    pub fn run(&self, system: &System, name: &str, value: Option<&Value>) -> Answer {
        let path = system.root.path(&self.path(name));
        let Some(path) = path.to_str() else { return Response::no_such_command(name).into() };
        let stdin = value.map(Value::to_string).unwrap_or_default();
        let program =
            Program { program: path, args: &[name], stdin: stdin.as_bytes(), limit: self.limit };
        match system.runner.run(&program) {
            Ok(finished) => answer(name, &finished),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                let seconds = self.limit.as_secs();
                let reason = format!("The command '{name}' took longer than {seconds} seconds");
                Response::failed(reason).into()
            }
            Err(error) => {
                let reason = format!("Couldn't run the command '{name}': {}", words(&error));
                Response::failed(reason).into()
            }
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn answer(name: &str, finished: &Finished) -> Answer {
    let reason = last_line(&finished.stderr);
    match finished.status {
        Some(status) => {
            let message = last_line(&finished.stdout).unwrap_or_default();
            Answer { response: Response::new(status.to_string(), message), reason }
        }
        None => Response::failed(format!("The command '{name}' was ended by a signal")).into(),
    }
}

/// The last line that is not empty.
fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    text.lines().rev().find(|line| !line.trim().is_empty()).map(ToOwned::to_owned)
}
