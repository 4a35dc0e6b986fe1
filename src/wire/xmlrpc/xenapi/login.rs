//! `session.login_with_password`.
//!
//! On the unix socket the kernel identifies the user. The name that a client sends there has no
//! effect.

use super::failure::Failure;
use super::service::XenApi;
use super::sessions::Now;
use crate::core::caller::{Caller, Principal, Via};
use crate::core::ports::{LoginError, fits_a_login};
use crate::wire::xmlrpc::codec::Call;
use crate::wire::xmlrpc::endpoint::{LoginPolicy, NOT_TRUSTED};
use crate::wire::xmlrpc::value::Value;

/// The name of the method.
pub(crate) const LOGIN: &str = "session.login_with_password";

/// The parameters. Later clients add a version and an originator.
pub(crate) const LOGIN_PARAMS: &[&str] = &["uname", "pwd", "version", "originator"];

/// The number of required parameters.
pub(crate) const LOGIN_REQUIRED: usize = 2;

/// Answers a call that begins a session.
pub(crate) async fn log_in(
    api: &XenApi,
    policy: &LoginPolicy,
    caller: &Caller,
    call: &Call,
) -> Result<Value, Failure> {
    if call.method != LOGIN {
        return Err(Failure::new("MESSAGE_METHOD_UNKNOWN", [call.method.as_str()]));
    }
    let given = call.params.len();
    if !(LOGIN_REQUIRED..=LOGIN_PARAMS.len()).contains(&given) {
        let counts = [LOGIN, "2", &given.to_string()];
        return Err(Failure::new("MESSAGE_PARAMETER_COUNT_MISMATCH", counts));
    }
    let [Some(Value::Text(name)), Some(Value::Text(password))] =
        [call.params.first(), call.params.get(1)]
    else {
        return Err(not_authenticated());
    };
    // Also where no password is asked for: the session keeps the name.
    if !fits_a_login(name, password) {
        return Err(not_authenticated());
    }
    let principal = identify(api, policy, caller, name, password).await?;
    let (name, originator) = match &principal {
        Principal::User(user) => (user.name(), format!("user {}", user.name())),
        Principal::Operator | Principal::Nobody => (name.as_str(), origin_of(caller)),
    };
    let reference = api.state.new_uuid();
    let now = Now::of(api.context.engine());
    api.state.sessions.begin(reference, name.to_owned(), principal.clone(), originator, now);
    let caller = Caller { via: caller.via.clone(), principal };
    tracing::info!(%caller, "A session of the Xen-API begins");
    Ok(Value::text(reference.to_string()))
}

/// Who the calls of the session will be made by.
async fn identify(
    api: &XenApi,
    policy: &LoginPolicy,
    caller: &Caller,
    name: &str,
    password: &str,
) -> Result<Principal, Failure> {
    let is_known = match &caller.principal {
        Principal::Operator => true,
        Principal::User(user) => !user.is_revoked(),
        Principal::Nobody => false,
    };
    let is_local_user = is_known
        && matches!(caller.principal, Principal::User(_))
        && matches!(caller.via, Via::Unix { .. });
    match policy {
        _ if is_local_user || api.context.is_local_admin(caller) => Ok(caller.principal.clone()),
        LoginPolicy::Password(passwords) => {
            let checked = passwords.check(name, password, &caller.via).await;
            checked.map(|()| Principal::Operator).map_err(|error| failed(&error))
        }
        LoginPolicy::Users(logins) => {
            let checked = logins.log_in(name, password, &caller.via).await;
            checked.map(Principal::User).map_err(|error| failed(&error))
        }
        LoginPolicy::Trust if is_known && matches!(caller.via, Via::Tcp { .. }) => {
            Ok(caller.principal.clone())
        }
        LoginPolicy::Trust if caller.principal == Principal::Nobody => {
            Err(denied(caller, Some(NOT_TRUSTED)))
        }
        LoginPolicy::Trust | LoginPolicy::Deny => Err(denied(caller, None)),
    }
}

/// The failure of a login that no password would help.
fn denied(caller: &Caller, reason: Option<&'static str>) -> Failure {
    tracing::warn!(%caller, "A login to the Xen-API was refused");
    Failure::new("PERMISSION_DENIED", reason)
}

fn not_authenticated() -> Failure {
    Failure::new("SESSION_AUTHENTICATION_FAILED", [])
}

/// The failure of a login. The reason is in the log alone.
fn failed(error: &LoginError) -> Failure {
    match error {
        LoginError::Refused(_) | LoginError::Broken(_) => not_authenticated(),
        LoginError::Busy => Failure::not_allowed("Too many logins are waiting, try again"),
    }
}

/// The user or host that a login comes from: each has a limit of its own.
fn origin_of(caller: &Caller) -> String {
    match &caller.via {
        Via::Unix { uid: Some(uid), .. } => format!("uid {uid}"),
        Via::Unix { uid: None, .. } => "unix".to_owned(),
        Via::Tcp { peer, .. } => peer.ip().to_canonical().to_string(),
        Via::Peer { host, .. } => host.to_string(),
        Via::Internal => "internal".to_owned(),
    }
}
