//! `password`.

use crate::command::{Command, Context};
use crate::shadow::Shadow;
use serde_json::Value;
use std::time::Duration;
use xend_guest_protocol::command::{NO_KEY_EXCHANGE, PASSWORD, PASSWORD_USER};
use xend_guest_protocol::keys::DecryptError;
use xend_guest_protocol::limits::KEY_SECONDS;
use xend_guest_protocol::response::Response;

/// Whose password is set when the value names no user.
const ROOT: &str = "root";

/// Sets a password.
#[derive(Debug)]
pub struct SetPassword;

impl Command for SetPassword {
    fn name(&self) -> &'static str {
        PASSWORD
    }

    fn about(&self) -> &'static str {
        "Sets a password in /etc/shadow. The value is the password, encrypted with the key of the \
         last keyinit, in base64; or, as the feature password_user says, an object of such a \
         password and the name of its user: {\"user\": \"web\", \"password\": \"...\"}. The key is \
         forgotten, whatever comes of it."
    }

    fn more_features(&self) -> &[&str] {
        &[PASSWORD_USER]
    }

    fn run(&self, context: &mut Context<'_>, value: Option<&Value>) -> Response {
        match set_password(context, value) {
            Ok(()) => Response::ok(""),
            Err(reason) => Response::failed(reason),
        }
    }
}

fn set_password(context: &mut Context<'_>, value: Option<&Value>) -> Result<(), String> {
    // One attempt a key: a recorded password is of no use a second time.
    let key = context.session.key.take().filter(|(_, since)| {
        context.now.saturating_duration_since(*since) < Duration::from_secs(KEY_SECONDS)
    });
    let (key, _) = key.ok_or(NO_KEY_EXCHANGE)?;
    let (user, encrypted) = user_and_password(value).ok_or(DecryptError::NotBase64.to_string())?;
    let password = key.decrypt(encrypted).map_err(|error| error.to_string())?;
    let shadow = match &context.system.shadow {
        Some(path) => Shadow::at(path)?,
        None => Shadow::of(&context.system.root),
    };
    shadow.set_password(user, &password)
}

fn user_and_password(value: Option<&Value>) -> Option<(&str, &str)> {
    match value? {
        Value::String(encrypted) => Some((ROOT, encrypted)),
        Value::Object(fields) => {
            let user = fields.get("user").map_or(Some(ROOT), Value::as_str)?;
            Some((user, fields.get("password")?.as_str()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Session;
    use crate::exchange::NoData;
    use crate::root::Root;
    use crate::runner::SystemRunner;
    use crate::system::System;
    use std::fs;
    use std::time::Instant;
    use xend_guest_protocol::keys::{Digest, Private, SharedKey};
    use xend_guest_protocol::password::Password;

    fn key() -> SharedKey {
        let host = Private::from_random(&mut [1; 16]);
        Private::from_random(&mut [2; 16]).shared_with(host.public())
    }

    /// The answer to a password whose key is this old.
    fn answer_after(age: Duration) -> Response {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("etc")).unwrap();
        fs::write(directory.path().join("etc/shadow"), "root:*:1::::::\n").unwrap();
        let system = System {
            root: Root::new(directory.path()),
            runner: Box::new(SystemRunner::without_names()),
            shadow: None,
        };
        let since = Instant::now();
        let mut session = Session { key: Some((key(), since)) };
        let mut context = Context {
            system: &system,
            data: &mut NoData,
            session: &mut session,
            features: &Vec::new,
            now: since + age,
        };
        let password = Password::new("Secret1").unwrap();
        let value = Value::String(key().encrypt(&password, Digest::Sha256));
        let answer = SetPassword.run(&mut context, Some(&value));
        assert!(session.key.is_none());
        answer
    }

    #[test]
    fn a_key_is_good_for_a_minute() {
        assert_eq!(answer_after(Duration::from_secs(59)), Response::ok(""));
        assert_eq!(answer_after(Duration::from_secs(60)), Response::failed(NO_KEY_EXCHANGE));
    }

    #[test]
    fn values_are_text_or_objects() {
        let read = |value: Value| {
            let found = user_and_password(Some(&value)).map(|(a, b)| (a.to_owned(), b.to_owned()));
            found.unwrap_or_default()
        };
        let pair = |user: &str, password: &str| (user.to_owned(), password.to_owned());
        assert_eq!(read("x".into()), pair("root", "x"));
        assert_eq!(read(serde_json::json!({"password": "x"})), pair("root", "x"));
        assert_eq!(read(serde_json::json!({"user": "web", "password": "x"})), pair("web", "x"));
        for none in
            [serde_json::json!({"user": 1, "password": "x"}), serde_json::json!({"user": "x"})]
        {
            assert_eq!(read(none), pair("", ""));
        }
        assert_eq!(user_and_password(None), None);
    }
}
