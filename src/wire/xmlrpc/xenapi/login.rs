//! `session.login_with_password`.
//!
//! On the unix socket the kernel identifies the user. The name that a client sends is stored and
//! has no effect.

use super::failure::Failure;
use super::service::XenApi;
use crate::core::caller::{Caller, Via};
use crate::core::ports::LoginError;
use crate::wire::xmlrpc::codec::Call;
use crate::wire::xmlrpc::endpoint::LoginPolicy;
use crate::wire::xmlrpc::value::Value;
use std::time::Duration;

/// The name of the method.
pub(crate) const LOGIN: &str = "session.login_with_password";

/// The parameters. Later clients add a version and an originator.
pub(crate) const LOGIN_PARAMS: &[&str] = &["uname", "pwd", "version", "originator"];

/// The number of required parameters.
pub(crate) const LOGIN_REQUIRED: usize = 2;

/// Delay of the answer to a wrong password.
const REFUSAL_DELAY: Duration = Duration::from_secs(2);

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
    let denied = || Failure::new("SESSION_AUTHENTICATION_FAILED", []);
    let [Some(Value::Text(user)), Some(Value::Text(password))] =
        [call.params.first(), call.params.get(1)]
    else {
        return Err(denied());
    };
    let originator = originator(caller);
    let sessions = &api.state.sessions;
    match policy {
        _ if api.context.is_local_admin(caller) => {}
        LoginPolicy::Trust if matches!(caller.via, Via::Tcp { .. }) => {}
        LoginPolicy::Password(authenticator) => {
            let _permit = sessions.login_permit(&originator).await.ok_or_else(denied)?;
            if let Err(error) = authenticator.check(user, password).await {
                let broken = matches!(error, LoginError::Broken(_));
                if broken {
                    tracing::error!(%caller, %error, "Nobody can log in to the Xen-API");
                } else {
                    tracing::warn!(%caller, %error, "A login to the Xen-API was refused");
                }
                // Holds the permit: the originator can check one password less during the delay.
                tokio::time::sleep(REFUSAL_DELAY).await;
                return Err(denied());
            }
        }
        // The kernel knows the user, who is not allowed.
        LoginPolicy::Trust | LoginPolicy::Deny => {
            tracing::warn!(%caller, "A login to the Xen-API was refused");
            return Err(Failure::new("PERMISSION_DENIED", []));
        }
    }
    let reference = api.state.new_uuid();
    sessions.begin(reference, user.clone(), originator, api.context.engine().now());
    tracing::info!(%caller, "A session of the Xen-API begins");
    Ok(Value::text(reference.to_string()))
}

/// The user or host that a login comes from: each has limits of its own.
fn originator(caller: &Caller) -> String {
    match &caller.via {
        Via::Unix { uid: Some(uid), .. } => format!("uid {uid}"),
        Via::Unix { uid: None, .. } => "unix".to_owned(),
        Via::Tcp { peer, .. } => peer.ip().to_canonical().to_string(),
        Via::Internal => "internal".to_owned(),
    }
}
