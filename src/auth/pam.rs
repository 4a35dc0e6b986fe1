//! PAM with service `login`, as in xend.

use crate::core::caller::Via;
use crate::core::ports::{Authenticator, LoginError};
use async_trait::async_trait;
use nonstick::{
    AuthnFlags, ConversationAdapter, ErrorCode, Result as PamResult, Transaction,
    TransactionBuilder,
};
use std::ffi::{OsStr, OsString};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The service: the name of the file in `/etc/pam.d`.
const SERVICE: &str = "login";

/// For the checks at the same time, each of which blocks a thread: modules ask servers, and wait
/// after a wrong password.
static PERMITS: Semaphore = Semaphore::const_new(16);

/// Time limit of waiting for other checks.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The machine's own users.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pam;

/// Answers PAM's prompts: the name to visible ones, the password to hidden ones.
struct Credentials {
    user: String,
    password: String,
}

impl ConversationAdapter for Credentials {
    fn prompt(&self, _: impl AsRef<OsStr>) -> PamResult<OsString> {
        Ok(OsString::from(&self.user))
    }

    fn masked_prompt(&self, _: impl AsRef<OsStr>) -> PamResult<OsString> {
        Ok(OsString::from(&self.password))
    }

    fn error_msg(&self, _: impl AsRef<OsStr>) {}

    fn info_msg(&self, _: impl AsRef<OsStr>) {}
}

fn check(user: String, password: String) -> Result<(), LoginError> {
    let failed = |error: ErrorCode| match error {
        ErrorCode::SystemError
        | ErrorCode::BufferError
        | ErrorCode::OpenError
        | ErrorCode::SymbolError => LoginError::Broken(format!("PAM: {error}")),
        other => LoginError::Refused(format!("PAM: {other}")),
    };
    let name = user.clone();
    let credentials = Credentials { user, password };
    let transaction = TransactionBuilder::new_with_service(SERVICE).username(name);
    let mut transaction = transaction.build(credentials.into_conversation()).map_err(failed)?;
    transaction.authenticate(AuthnFlags::empty()).map_err(failed)?;
    transaction.account_management(AuthnFlags::empty()).map_err(failed)
}

#[async_trait]
impl Authenticator for Pam {
    async fn check(&self, user: &str, password: &str, _: &Via) -> Result<(), LoginError> {
        let permit = timeout(LONGEST_WAIT, PERMITS.acquire()).await;
        let Ok(Ok(permit)) = permit else { return Err(LoginError::Busy) };
        let user = user.to_owned();
        let password = password.to_owned();
        let checked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            check(user, password)
        });
        checked.await.unwrap_or_else(|error| {
            Err(LoginError::Broken(format!("The PAM check was aborted: {error}")))
        })
    }
}
