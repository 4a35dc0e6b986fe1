//! Whose the things are that sessions leave on the host: tasks and debug objects.

use crate::core::caller::{Caller, Principal};

/// Whether a caller sees what belongs to `owner`: operators see everything, users what is theirs.
pub(crate) fn sees(caller: &Caller, owner: &Principal) -> bool {
    caller.is_operator() || caller.principal == *owner
}

/// Whether the owner's account is gone.
pub(crate) fn is_gone(owner: &Principal) -> bool {
    matches!(owner, Principal::User(user) if user.is_revoked())
}
