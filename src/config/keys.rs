//! The columns of the table of configuration keys.

use super::diagnostic::Diagnostic;
use super::entry::{Entry, Problem};
use super::settings::FileSettings;

/// A group of keys under one heading.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) keys: &'static [Key],
}

/// A configuration key that has an effect.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// As the file would spell it; empty when there is none.
    pub(super) default: &'static str,
    /// Whether `default` is for people only: the real one depends on the user or on other keys.
    pub(super) default_is_computed: bool,
    /// One sentence for people.
    pub(super) about: &'static str,
    /// Further sentences for the sample file.
    pub(super) details: &'static str,
    /// Entries for the sample file.
    pub(super) examples: &'static [&'static str],
    /// Whether SIGHUP applies a change.
    pub(super) reload: bool,
    pub(super) on_error: OnError,
    pub(super) field: Field,
}

/// The effect of a wrong value. No effect admits clients that the operator did not admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnError {
    /// The daemon does not start.
    Refuse,
    /// The listeners of the group are not served; everything else is.
    DropListener(ListenerGroup),
    /// The key has its default.
    UseDefault,
    /// The daemon does not start, unless the command line has the value of the hypervisor.
    RefuseWithoutOption,
}

/// The listeners that a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListenerGroup {
    TcpHttp,
    UnixHttp,
    UnixXmlRpc,
    TcpXmlRpc,
    XenApi,
    Argo,
    Metrics,
    Relocation,
}

impl ListenerGroup {
    /// The name in messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TcpHttp => "HTTP over TCP",
            Self::UnixHttp => "HTTP on the unix socket",
            Self::UnixXmlRpc => "XML-RPC on the unix socket",
            Self::TcpXmlRpc => "XML-RPC over TCP",
            Self::XenApi => "the Xen-API",
            Self::Argo => "Argo",
            Self::Metrics => "the metrics server",
            Self::Relocation => "the relocation server",
        }
    }
}

/// The field of [`FileSettings`] that a key sets.
pub(super) struct Field {
    /// Sets the field from an entry.
    pub(super) read: fn(&mut FileSettings, &Entry<'_>, &mut Vec<Diagnostic>) -> Result<(), Problem>,
    /// Whether the field has different values.
    pub(super) differs: fn(&FileSettings, &FileSettings) -> bool,
}

/// A [`Field`] by its name and the value of an entry: `field!(unix.mode: |entry| entry.mode())`.
macro_rules! field {
    ($($field:ident).+: |$entry:ident| $value:expr) => {
        $crate::config::keys::Field {
            read: |settings, $entry, _| {
                settings.$($field).+ = $value?;
                Ok(())
            },
            differs: |old, new| old.$($field).+ != new.$($field).+,
        }
    };
}
pub(super) use field;

/// A key that only a restart changes and whose wrong value keeps the daemon from starting.
pub(super) const fn key(
    name: &'static str,
    default: &'static str,
    about: &'static str,
    field: Field,
) -> Key {
    Key {
        name,
        default,
        default_is_computed: false,
        about,
        details: "",
        examples: &[],
        reload: false,
        on_error: OnError::Refuse,
        field,
    }
}

impl Key {
    pub(super) const fn computed(self) -> Self {
        Self { default_is_computed: true, ..self }
    }

    pub(super) const fn details(self, details: &'static str) -> Self {
        Self { details, ..self }
    }

    pub(super) const fn examples(self, examples: &'static [&'static str]) -> Self {
        Self { examples, ..self }
    }

    pub(super) const fn reload(self) -> Self {
        Self { reload: true, ..self }
    }

    pub(super) const fn listener(self, listener: ListenerGroup) -> Self {
        Self { on_error: OnError::DropListener(listener), ..self }
    }

    pub(super) const fn or_option(self) -> Self {
        Self { on_error: OnError::RefuseWithoutOption, ..self }
    }

    pub(super) const fn or_default(self) -> Self {
        Self { on_error: OnError::UseDefault, ..self }
    }
}
