//! `auth`, `exit`, `help`, `nop`.

use crate::core::ports::LoginError;
use crate::core::rights::Need;
use crate::wire::argo::answer::{Answer, Effect, Output, Refusal};
use crate::wire::argo::call::Call;
use crate::wire::argo::command::{Command, Run};
use crate::wire::argo::signature::Signature;
use std::fmt::Display;

pub(in crate::wire::argo) static AUTH: Command = Command {
    signature: Signature::new("auth", "USER PASSWORD", Need::Anyone, "Log in."),
    run: Run::Plain(|call| Box::pin(auth(call))),
};

pub(in crate::wire::argo) static EXIT: Command = Command {
    signature: Signature::new("exit", "", Need::Anyone, "Close the connection."),
    run: Run::Plain(|_| Box::pin(async { Ok(Output::with_effect(Effect::Close)) })),
};

pub(in crate::wire::argo) static HELP: Command = Command {
    signature: Signature::new("help", "", Need::Anyone, "List the commands."),
    run: Run::Plain(|call| Box::pin(help(call))),
};

pub(in crate::wire::argo) static NOP: Command = Command {
    signature: Signature::new(
        "nop",
        "",
        Need::Anyone,
        "Do nothing: an idle connection stays open.",
    ),
    run: Run::Plain(|_| Box::pin(async { Ok(Output::none()) })),
};

/// A failed login leaves the session as it was. The gate of logins slows failures down and logs
/// them.
async fn auth(call: &Call<'_>) -> Answer {
    let [user, password] = call.words else { return Err(Refusal::Usage(AUTH.signature.usage())) };
    match call.argo.logins().log_in(user, password, &call.caller().via).await {
        Ok(user) => Ok(Output::with_effect(Effect::LogIn(user))),
        Err(LoginError::Refused(_)) => Err(Refusal::NotAuthenticated),
        Err(LoginError::Busy) => Err(Refusal::Busy),
        Err(LoginError::Broken(_)) => {
            Err(Refusal::Failed("LOGINS CANNOT BE CHECKED NOW".to_owned()))
        }
    }
}

async fn help(call: &Call<'_>) -> Answer {
    let line = |usage: &str, help: &dyn Display| format!("{usage:<24} {help}");
    let own = call.argo.signatures().iter();
    let mut lines: Vec<String> =
        own.map(|signature| line(&signature.usage(), &signature.help)).collect();
    if let Some(plugins) = call.argo.plugins().filter(|_| call.is_authenticated) {
        let access = call.caller().access();
        let all = plugins.all().await;
        let signatures = all.iter().map(|plugin| &plugin.signature);
        let usable = signatures.filter(|signature| signature.is_for(&access));
        lines.extend(usable.map(|signature| line(&signature.usage(), &signature.help)));
    }
    Ok(lines.into_iter().collect())
}
