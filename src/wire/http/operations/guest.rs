//! What the agent in a guest does: `agent_version`, `agent_features`, `set_password`,
//! `inject_file`. `reset_network` has a file of its own.

use crate::core::model::{Invalid, Password};
use crate::core::op::{Change, Content, GuestOp};
use crate::core::rights::OpKind;
use crate::wire::http::engine_request::EngineRequest;
use crate::wire::http::operation::{
    AnswerType, GUEST, Operation, OperationRequest, Param, ParamKind, Success, optional, required,
};
use crate::wire::http::params::{Params, bad_value};
use crate::wire::http::quantity::Quantity;
use base64ct::{Base64, Encoding as _};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::borrow::Cow;
use std::time::Duration;
use xend_guest_protocol::password::{BadPassword, Password as GuestPassword};
use xend_guest_protocol::path::GuestPath;

/// The longest wait for an answer of an agent, in seconds.
pub(crate) const MAX_TIMEOUT: u64 = GuestOp::MAX_LIMIT.as_secs();

pub(super) const TIMEOUT: Param = optional(
    "timeout",
    ParamKind::Quantity(Quantity::Seconds),
    "30",
    "Time in which the agent must answer a request",
    "60",
);

/// The most bytes of a file's path and contents together: they fit into a request of either form,
/// to any domain.
const MAX_FILE: usize = 2950;

pub(super) static VERSION: Operation = question(
    "agent_version",
    "Show agent's version",
    "Asks the agent in the guest for its version.",
    |request| ask_plainly(request, GuestOp::AgentVersion),
);

pub(super) static FEATURES: Operation = question(
    "agent_features",
    "Show agent's commands",
    "Asks the agent in the guest for the names of its commands.",
    |request| ask_plainly(request, GuestOp::AgentFeatures),
);

/// A question to the agent, without parameters of its own.
const fn question(
    name: &'static str,
    label: &'static str,
    about: &'static str,
    build: fn(&OperationRequest<'_>) -> Result<EngineRequest, Invalid>,
) -> Operation {
    Operation {
        name,
        label,
        about,
        kinds: &[OpKind::AskGuestAgent],
        stages: &GUEST,
        data_loss: None,
        params: &[TIMEOUT],
        success: Success::Answer(AnswerType::Agent),
        build,
    }
}

pub(super) static SET_PASSWORD: Operation = Operation {
    name: "set_password",
    label: "Set password",
    about: "Sets the password of a user in the guest. Users other than root need an agent that \
            has the feature password_user.",
    kinds: &[OpKind::SetGuestPassword],
    stages: &GUEST,
    data_loss: None,
    params: &[
        required("password", ParamKind::Password, "New password", "correct horse 7"),
        optional(
            "user",
            ParamKind::Text("letters, digits and _ - . @ $"),
            "root",
            "User in the guest",
            "root",
        ),
        TIMEOUT,
    ],
    success: Success::Answer(AnswerType::Agent),
    build: |request| {
        let password = password(request.params)?;
        let SetPassword { user, timeout } = request.params.parse()?;
        check_user(&user)?;
        ask(request, GuestOp::SetPassword { user, password }, timeout)
    },
};

pub(super) static INJECT_FILE: Operation = Operation {
    name: "inject_file",
    label: "Write file",
    about: "Writes a file in the guest. An older file is kept under another name. The file can be \
            uploaded as contents of a multipart form. XenStore has room for 2,950 bytes of path \
            and contents together.",
    kinds: &[OpKind::InjectGuestFile],
    stages: &GUEST,
    data_loss: None,
    params: &[
        required(
            "file",
            ParamKind::Text("absolute path in the guest"),
            "File to write",
            "/etc/motd",
        ),
        required("contents", ParamKind::Lines("text, or base64"), "Its contents", "Welcome"),
        optional("encoding", ParamKind::Word(&ENCODINGS), "text", "Form of the contents", "text"),
        TIMEOUT,
    ],
    success: Success::Answer(AnswerType::Agent),
    build: |request| {
        let Plain { timeout } = request.params.parse()?;
        let path = request.params.single("file")?;
        let path = utf8("file", &path)?.to_owned();
        GuestPath::new(path.as_str()).map_err(|reason| bad_value("file", reason))?;
        let content = contents(request.params)?;
        check_size(&path, &content)?;
        ask(request, GuestOp::InjectFile { path, content }, timeout)
    },
};

const BASE64: &str = "base64";
const ENCODINGS: [&str; 2] = ["text", BASE64];

#[derive(Debug, Deserialize)]
struct Plain {
    #[serde(default = "default_timeout", deserialize_with = "timeout")]
    timeout: Duration,
}

#[derive(Debug, Deserialize)]
struct SetPassword {
    #[serde(default = "root")]
    user: String,
    #[serde(default = "default_timeout", deserialize_with = "timeout")]
    timeout: Duration,
}

fn root() -> String {
    "root".to_owned()
}

fn default_timeout() -> Duration {
    GuestOp::DEFAULT_LIMIT
}

/// Deserializes the time in which an agent must answer.
pub(super) fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    let seconds = text.trim().parse().ok().filter(|seconds| (1..=MAX_TIMEOUT).contains(seconds));
    let seconds = seconds.ok_or_else(|| {
        D::Error::custom(format!("'{text}' is not a whole number from 1 to {MAX_TIMEOUT}"))
    })?;
    Ok(Duration::from_secs(seconds))
}

/// Asks with the parameter that all have.
fn ask_plainly(request: &OperationRequest<'_>, op: GuestOp) -> Result<EngineRequest, Invalid> {
    let Plain { timeout } = request.params.parse()?;
    ask(request, op, timeout)
}

/// The request to the agent in the domain in the path.
#[allow(clippy::unnecessary_wraps, reason = "the last expression of `build` functions")]
pub(super) fn ask(
    request: &OperationRequest<'_>,
    op: GuestOp,
    limit: Duration,
) -> Result<EngineRequest, Invalid> {
    Ok(Change::Guest { domain: request.domain(), op, limit }.into())
}

/// The value as text. With another character in place of a wrong byte, a path would be another.
pub(super) fn utf8<'a>(param: &str, value: &'a [u8]) -> Result<&'a str, Invalid> {
    std::str::from_utf8(value).map_err(|_| bad_value(param, "it is not UTF-8"))
}

/// The password to set. The line feed at the end of a file that curl sends is no part of it.
fn password(params: &Params) -> Result<Password, Invalid> {
    let text = params.single("password")?;
    let line = text.strip_suffix(b"\n").unwrap_or(&text);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = utf8("password", line)?;
    GuestPassword::new(line).map_err(|reason| bad_value("password", reason))?;
    Password::new(line.into()).ok_or_else(|| bad_value("password", BadPassword::Empty))
}

/// The longest name of a user that Linux has, in bytes.
const MAX_USER: usize = 32;

fn check_user(user: &str) -> Result<(), Invalid> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@$".contains(&byte);
    if user.is_empty() || user.starts_with('-') || !user.bytes().all(is_allowed) {
        return Err(bad_value("user", "a name has letters, digits and _ - . @ $ alone"));
    }
    if user.len() > MAX_USER {
        return Err(bad_value("user", format!("a name has at most {MAX_USER} bytes")));
    }
    Ok(())
}

fn contents(params: &Params) -> Result<Content, Invalid> {
    let contents = params.single("contents")?;
    if params.choice("encoding", &ENCODINGS)? != Some(BASE64) {
        return Ok(Content(contents.into_owned()));
    }
    // The program base64 breaks its lines.
    let line: Vec<u8> = contents.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let line = String::from_utf8_lossy(&line);
    let decoded = Base64::decode_vec(&line).map_err(|_| bad_value("contents", "it is not base64"));
    decoded.map(Content)
}

/// Refuses a file that is too large before the agent is asked for anything.
fn check_size(path: &str, content: &Content) -> Result<(), Invalid> {
    let most = MAX_FILE.saturating_sub(path.len());
    if content.0.len() <= most {
        return Ok(());
    }
    let bytes = content.0.len();
    let reason =
        format!("{bytes} bytes are too many, at most {most} fit into XenStore beside the path");
    Err(bad_value("contents", reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::operation::build_from_form;
    use xend_guest_protocol::file::GuestFile;
    use xend_guest_protocol::limits::max_host_value;
    use xend_guest_protocol::request::Request;

    fn asked(operation: &Operation, form: &str) -> (GuestOp, Duration) {
        match build_from_form(operation, form).unwrap() {
            EngineRequest::Change(Change::Guest { domain, op, limit }) => {
                assert_eq!(domain.as_str(), "web1");
                (op, limit)
            }
            other => panic!("{form}: {other:?}"),
        }
    }

    fn refused(operation: &Operation, form: &str) -> String {
        build_from_form(operation, form).unwrap_err().to_string()
    }

    #[test]
    fn an_agent_has_time_within_limits() {
        assert_eq!(asked(&VERSION, "").1, Duration::from_secs(30));
        assert_eq!(asked(&VERSION, "timeout=+600+").1, Duration::from_secs(600));
        for wrong in ["0", "601", "-1", "x", "18446744073709551616"] {
            let message = refused(&VERSION, &format!("timeout={wrong}"));
            let expected = format!("'{wrong}' is not a whole number from 1 to 600");
            assert_eq!(message, format!("Invalid value for timeout: {expected}"));
        }
    }

    #[test]
    fn a_password_is_a_line() {
        let set = |form: &str| match asked(&SET_PASSWORD, form).0 {
            GuestOp::SetPassword { user, password } => (user, password.reveal().to_string()),
            other => panic!("{other:?}"),
        };
        assert_eq!(set("password=Secret1"), ("root".to_owned(), "Secret1".to_owned()));
        assert_eq!(set("password=a+b%0A&user=ann").1, "a b");
        assert_eq!(set("password=%C3%A4%0D%0A").1, "ä");
        for (form, reason) in [
            ("password=", "password: The password is empty"),
            ("password=%0A", "password: The password is empty"),
            ("password=hunter%0A2", "password: The password has a newline or a NUL"),
            ("password=hunter%FF", "password: it is not UTF-8"),
            ("password=hunter&user=", "user: a name has letters"),
            ("password=hunter&user=-r", "user: a name has letters"),
            ("password=hunter&user=a%20b", "user: a name has letters"),
        ] {
            let message = refused(&SET_PASSWORD, form);
            assert!(message.starts_with(&format!("Invalid value for {reason}")), "{message}");
            assert!(!message.contains("hunter"), "{message}");
        }
        assert!(
            refused(&SET_PASSWORD, &format!("password=x&user={}", "a".repeat(33))).contains("32")
        );
        let (op, _) = asked(&SET_PASSWORD, "password=hunter");
        assert!(!format!("{op:?}").contains("hunter"), "{op:?}");
    }

    /// Left out by mistake, `user` would be root.
    #[test]
    fn unknown_parameters_are_refused() {
        assert_eq!(
            refused(&SET_PASSWORD, "op=set_password&usr=bob&password=hunter"),
            "Unknown parameter usr: did you mean user?"
        );
        assert_eq!(
            refused(&VERSION, "timeot=3"),
            "Unknown parameter timeot: did you mean timeout?"
        );
        // A password with an & that is not encoded.
        assert_eq!(
            refused(&SET_PASSWORD, "password=a&hunter2"),
            "Unknown parameter: set_password has password, user, timeout"
        );
        asked(&SET_PASSWORD, "op=set_password&password=hunter&user=ann&timeout=3");
    }

    #[test]
    fn a_file_fits_into_any_request() {
        let path = "/etc/motd";
        let form = |bytes: usize| format!("file={path}&contents={}", "x".repeat(bytes));
        let most = MAX_FILE - path.len();
        let (op, _) = asked(&INJECT_FILE, &form(most));
        let GuestOp::InjectFile { path, content } = op else { panic!("{op:?}") };
        let file = GuestFile { path: GuestPath::new(path).unwrap(), contents: content.0 };
        // 32751 is the last domid.
        let node = "/local/domain/32751/data/host/01234567-89ab-cdef-0123-456789abcdef";
        for (name, value) in
            [("file_inject", file.to_file_inject()), ("injectfile", file.to_injectfile().unwrap())]
        {
            let bytes = Request::new(name, value).to_json().len();
            assert!(bytes <= max_host_value(node), "{name}: {bytes} bytes");
        }
        assert_eq!(
            refused(&INJECT_FILE, &form(most + 1)),
            "Invalid value for contents: 2942 bytes are too many, at most 2941 fit into XenStore \
             beside the path"
        );
        assert!(INJECT_FILE.about.contains("2,950 bytes"), "{}", INJECT_FILE.about);
    }

    #[test]
    fn contents_are_text_or_base64() {
        let inject = |form: &str| match asked(&INJECT_FILE, form).0 {
            GuestOp::InjectFile { path, content } => (path, content.0),
            other => panic!("{other:?}"),
        };
        let (path, content) = inject("file=/etc/motd&contents=a%FFb%0D%0A");
        assert_eq!((path.as_str(), content.as_slice()), ("/etc/motd", &b"a\xffb\r\n"[..]));
        assert!(inject("file=/etc/motd&contents=").1.is_empty());
        assert_eq!(inject("file=/a&contents=Zm9v%0AYmFy&encoding=base64").1, b"foobar");
        for (form, reason) in [
            ("file=/a&contents=Zm9&encoding=base64", "contents: it is not base64"),
            ("file=/a&contents=%FF&encoding=base64", "contents: it is not base64"),
            ("file=a&contents=x", "file: The file's path is not absolute"),
            ("file=/etc/a%FF&contents=x", "file: it is not UTF-8"),
            ("file=/a/../b&contents=x", "file: The file's path has a part"),
            ("file=/a/&contents=x", "file: The file's path is that of a directory"),
        ] {
            let message = refused(&INJECT_FILE, form);
            assert!(message.starts_with(&format!("Invalid value for {reason}")), "{message}");
        }
    }
}
