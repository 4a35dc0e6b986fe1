//! A call of a command.

use super::answer::{Answer, Output, Refusal};
use super::context::Argo;
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::op::Change;
use crate::core::view::View;

/// A command with its arguments, and who calls it.
pub(super) struct Call<'a> {
    pub(super) argo: &'a Argo,
    /// What the caller sees.
    pub(super) view: View,
    /// The arguments. Their number fits the command.
    pub(super) words: &'a [String],
    /// Whether somebody has logged in.
    pub(super) is_authenticated: bool,
}

impl Call<'_> {
    pub(super) fn caller(&self) -> &Caller {
        self.view.caller()
    }

    /// The refusal of a caller who lacks a right.
    pub(super) fn refused(&self) -> Refusal {
        if self.is_authenticated { Refusal::NotAllowed } else { Refusal::NotAuthenticated }
    }

    /// The engine's error as a refusal. Before a login a missing instance and a missing right are
    /// the same.
    pub(super) fn failure(&self, error: &Error) -> Refusal {
        match error {
            Error::NoSuchDomain(_) | Error::Gone(_) if self.is_authenticated => {
                Refusal::NoSuchInstance
            }
            Error::NoSuchDomain(_)
            | Error::Gone(_)
            | Error::NotPermitted { .. }
            | Error::BeyondLimits(_) => self.refused(),
            Error::DisksBusy => Refusal::Busy,
            error => Refusal::Failed(error.to_string()),
        }
    }

    /// Carries out a change.
    pub(super) async fn change(&self, change: Change) -> Answer {
        match self.argo.engine().execute(self.caller(), change).await {
            Ok(_) => Ok(Output::none()),
            Err(error) => Err(self.failure(&error)),
        }
    }
}
