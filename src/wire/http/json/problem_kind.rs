//! The kinds of problems: a code and a status each.

use crate::core::error::Error;

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ProblemKind {
    /// Where the OpenAPI document describes it: a path and a JSON pointer.
    pub(crate) uri: &'static str,
    /// For programs. It never changes.
    pub(crate) code: &'static str,
    /// Of HTTP.
    pub(crate) status: u16,
    /// For people.
    pub(crate) title: &'static str,
}

/// Declares the kinds as constants, and the list of all of them.
macro_rules! problem_kinds {
    ($(#[$about:meta])* $list:ident: $($name:ident $code:literal $status:literal $title:literal;)*) => {
        impl ProblemKind {
            $(
                pub(crate) const $name: &'static Self = &Self {
                    uri: concat!("/xend/openapi.json#/components/x-problems/", $code),
                    code: $code,
                    status: $status,
                    title: $title,
                };
            )*

            $(#[$about])*
            pub(crate) const $list: &'static [&'static Self] = &[$(Self::$name,)*];
        }
    };
}

problem_kinds! {
    /// The kinds of every host, by their statuses.
    ALL:
    MALFORMED "malformed_request" 400 "The request cannot be read";
    NOT_LOGGED_IN "not_logged_in" 401 "Log in";
    WRONG_PASSWORD "wrong_password" 401 "User or password are wrong";
    NOT_KNOWN "not_known" 403 "You are not known here";
    NOT_PRIVATE "not_private" 403 "The connection is not encrypted";
    FOREIGN_HOST "foreign_host" 403 "The request is for another host";
    FOREIGN_PAGE "foreign_page" 403 "The request comes from a page of another site";
    NO_ORIGIN "no_origin" 403 "Not from a page";
    NOT_PERMITTED "not_permitted" 403 "The right is missing";
    BEYOND_LIMITS "beyond_limits" 403 "The account does not allow this value";
    FORBIDDEN_BY_CONFIG "forbidden_by_configuration" 403 "The configuration of xend forbids this";
    PRIVILEGED "privileged_domain" 403 "Domain-0 does not support this";
    NOT_FOUND "not_found" 404 "There is no such page";
    NO_SUCH_DOMAIN "no_such_domain" 404 "There is no such domain";
    NO_SUCH_OBJECT "no_such_object" 404 "There is no such object";
    NO_SUCH_DEVICE "no_such_device" 404 "The domain has no such device";
    NO_SUCH_VNET "no_such_vnet" 404 "There is no such virtual network";
    NO_SUCH_TASK "no_such_task" 404 "There is no such task";
    METHOD "method_not_allowed" 405 "The page does not have this method";
    NOT_ACCEPTABLE "not_acceptable" 406 "The page has no such answer";
    TOO_SLOW "too_slow" 408 "The body arrives too slowly";
    ALREADY_EXISTS "already_exists" 409 "Another one has the name, the UUID or the place";
    IN_USE "in_use" 409 "It is in use";
    WRONG_STATE "wrong_state" 409 "The present state does not permit this";
    NO_MEMORY "not_enough_memory" 409 "Not enough memory is free";
    LIMIT_REACHED "limit_reached" 409 "There are as many as there can be";
    CANCELLED "cancelled" 409 "The operation was cancelled";
    TOO_LARGE "too_large" 413 "The body is too large";
    UNKNOWN_MEDIA "unsupported_media_type" 415 "The body has an unknown type";
    UNKNOWN_OPERATION "unknown_operation" 422 "There is no such operation";
    MISSING_PARAMETER "missing_parameter" 422 "A parameter is missing";
    UNKNOWN_PARAMETER "unknown_parameter" 422 "There is no such parameter";
    INVALID "invalid_value" 422 "A value is invalid";
    MISSING_FILE "missing_file" 422 "A file does not exist";
    FAILED "failed" 500 "The operation failed";
    DEVICE "device_failed" 500 "A device could not be connected";
    UNSUPPORTED "unsupported" 501 "This host does not support it";
    REMOTE "other_host_failed" 502 "The other host cannot be reached, failed or refused";
    AGENT "agent_failed" 502 "The agent in the guest failed";
    BUSY "busy" 503 "xend is busy";
    STOPPING "stopping" 503 "xend is being stopped";
    ANSWER_LOST "answer_lost" 503 "The request is done, its answer cannot be sent";
    TIMEOUT "timeout" 504 "It took too long";
    NO_ROOM "no_room" 507 "A disk is full";
}

problem_kinds! {
    /// The kinds that a host in a fleet has beside them.
    OF_FLEET:
    ON_SEVERAL_HOSTS "on_several_hosts" 409 "Several hosts have such a domain";
    NO_HOST "no_host" 409 "No host fits the domain";
    OWNED_ELSEWHERE "owned_elsewhere" 409 "The domain belongs to another host";
    NOT_PASSED_ON "not_passed_on" 501 "Another host has it";
    FLEET_UNKNOWN "fleet_unknown" 503 "The fleet is not known yet";
    FLEET_UNAVAILABLE "fleet_unavailable" 503 "The fleet cannot be asked";
    LOOP "loop" 508 "The request was passed on already";
}

impl ProblemKind {
    /// The kind of an error.
    pub(crate) const fn of(error: &Error) -> &'static Self {
        match error {
            Error::NoSuchDomain(_) | Error::Gone(_) => Self::NO_SUCH_DOMAIN,
            Error::NoSuchObject { .. } | Error::NoSuchMigration(_) => Self::NO_SUCH_OBJECT,
            Error::NoSuchVnet(_) => Self::NO_SUCH_VNET,
            Error::Exists { .. }
            | Error::UuidTaken { .. }
            | Error::NameTaken { .. }
            | Error::NameIsIdentifier { .. }
            | Error::PoolExists(_)
            | Error::VnetExists(_) => Self::ALREADY_EXISTS,
            Error::Invalid(invalid) if invalid.is_taken() => Self::ALREADY_EXISTS,
            Error::InUse { .. } | Error::PciTaken { .. } | Error::DeviceBusy { .. } => Self::IN_USE,
            Error::NotConnected { .. } => Self::NO_SUCH_DEVICE,
            Error::PoolState(_)
            | Error::LastCpu(_)
            | Error::NotEnoughCpus { .. }
            | Error::BadState { .. }
            | Error::NotStarted(_)
            | Error::NotManaged(_)
            | Error::NoTransfer
            | Error::Rebooted(_) => Self::WRONG_STATE,
            Error::Busy(_) | Error::DisksBusy => Self::BUSY,
            Error::Cancelled(_) => Self::CANCELLED,
            Error::OwnedElsewhere { .. } => Self::OWNED_ELSEWHERE,
            Error::FleetUnavailable { .. }
            | Error::OwnerUnknown { .. }
            | Error::Undecided { .. } => Self::FLEET_UNAVAILABLE,
            Error::LimitReached(_) => Self::LIMIT_REACHED,
            Error::Stopping => Self::STOPPING,
            Error::Privileged(_) | Error::Dom0Shutdown => Self::PRIVILEGED,
            Error::NotPermitted { .. } => Self::NOT_PERMITTED,
            Error::BeyondLimits(_) => Self::BEYOND_LIMITS,
            Error::Invalid(invalid) if invalid.is_forbidden() => Self::FORBIDDEN_BY_CONFIG,
            Error::Invalid(invalid) if invalid.is_absent() => Self::MISSING_FILE,
            Error::Invalid(invalid) if invalid.is_missing() => Self::MISSING_PARAMETER,
            Error::Invalid(_) | Error::NoSuchCpu(_) => Self::INVALID,
            Error::Missing { .. } => Self::MISSING_FILE,
            Error::Unsupported(_) | Error::AgentLacks(_) => Self::UNSUPPORTED,
            Error::NoMemory { .. } => Self::NO_MEMORY,
            Error::Device { .. } => Self::DEVICE,
            Error::NoRoom { .. } => Self::NO_ROOM,
            Error::Remote { .. }
            | Error::Unreachable { .. }
            | Error::ConnectionLost { .. }
            | Error::InDoubt { .. } => Self::REMOTE,
            Error::AgentFailed { .. } | Error::AgentResponse(_) => Self::AGENT,
            Error::Timeout { .. } | Error::Stalled { .. } | Error::AgentTimeout { .. } => {
                Self::TIMEOUT
            }
            Error::Backend { .. } => Self::FAILED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_kind_has_a_code_of_its_own_and_a_status_of_a_failure() {
        let all = || ProblemKind::ALL.iter().chain(ProblemKind::OF_FLEET);
        let codes: HashSet<_> = all().map(|kind| kind.code).collect();
        assert_eq!(codes.len(), all().count());
        assert!(ProblemKind::ALL.is_sorted_by_key(|kind| kind.status));
        for kind in all() {
            assert!((400..600).contains(&kind.status), "{kind:?}");
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(kind.code.bytes().all(is_plain), "{kind:?}");
        }
    }
}
