//! An operation on a page: the value of `op`, its parameters, and its request to the engine.

use super::config_advice;
use super::config_text::{self, ConfigTextError};
use super::engine_request::EngineRequest;
use super::json::places;
use super::params::Params;
use super::quantity::Quantity;
use crate::core::lifecycle::State;
#[cfg(test)]
use crate::core::model::{Device, DomName, DomainConfig, Vif};
use crate::core::model::{DomainRef, Invalid, Policy, Uuid};
use crate::core::op::{Change, DomainOp};
use crate::core::rights::{Access, Need, OpKind, Right};
use crate::core::snapshot::DomainView;
use crate::shape::ShapeError;
use crate::sxp::Sxp;
use std::borrow::Cow;
use xend_spelling::nearest;

pub(super) use super::success::{AnswerType, Success};

/// An operation on a page. POST looks it up by its name; the reference and the forms are made from
/// it.
pub(super) struct Operation {
    /// The value of `op`.
    pub(super) name: &'static str,
    /// The text of its button.
    pub(super) label: &'static str,
    /// The effect, in a sentence or two.
    pub(super) about: &'static str,
    /// The kinds of the changes or reads that it can be. Pages offer it to callers who may do one
    /// of them; the engine checks each request itself.
    pub(super) kinds: &'static [OpKind],
    /// The stages in which a domain can do it; empty on pages that are not a domain's.
    pub(super) stages: &'static [DomainStage],
    /// The loss that pages warn of before they send it. `None` if no data can be lost.
    pub(super) data_loss: Option<&'static str>,
    pub(super) params: &'static [Param],
    pub(super) success: Success,
    /// Reads the parameters. Callers use [`Operation::request`].
    pub(super) build: fn(&OperationRequest<'_>) -> Result<EngineRequest, Invalid>,
}

/// The operation with this name that asks before it loses data, and what is lost.
pub(super) fn asking(
    all: &[&'static Operation],
    op: &str,
) -> Option<(&'static Operation, &'static str)> {
    let operation = *all.iter().find(|operation| operation.name == op)?;
    Some((operation, operation.data_loss?))
}

impl Operation {
    /// The request to the engine.
    ///
    /// xend ignored unknown parameters. Its operations still do, but those that an agent does have
    /// no old clients: with a misspelled `user`, the password would be root's.
    pub(super) fn request(&self, request: &OperationRequest<'_>) -> Result<EngineRequest, Invalid> {
        if self.is_done_by_agent() {
            self.check_names(request.params)?;
        }
        (self.build)(request).map_err(|error| match self.config_param() {
            Some(name) => {
                let is_known = |name: &str| self.params.iter().any(|param| param.name == name);
                config_advice::advised(error, name, request.params, is_known)
            }
            None => error,
        })
    }

    /// The parameter that has a configuration.
    fn config_param(&self) -> Option<&'static str> {
        let is_config = |param: &&Param| matches!(param.kind, ParamKind::Config(_));
        self.params.iter().find(is_config).map(|param| param.name)
    }

    /// Refuses unknown parameters. One that resembles no other is not quoted: it may be the rest of
    /// a password that has an `&`.
    fn check_names(&self, params: &Params) -> Result<(), Invalid> {
        let known = || self.params.iter().map(|param| param.name);
        let is_known = |name: &str| name == "op" || known().any(|other| other == name);
        let names = params.names();
        let Some(name) = names.iter().find(|name| !is_known(name)) else { return Ok(()) };
        let text = if let Some(other) = nearest(name, known()) {
            format!("Unknown parameter {name}: did you mean {other}?")
        } else {
            let known: Vec<_> = known().collect();
            format!("Unknown parameter: {} has {}", self.name, known.join(", "))
        };
        Err(Invalid::new(text))
    }

    /// Whether it makes a domain from a configuration that a person wrote.
    pub(super) fn reads_domain_config(&self) -> bool {
        self.config_param().is_some() && (self.success == Success::Created || self.name == "new")
    }

    /// The parameter that a refusal is about: the one that it names, by itself or at the beginning
    /// of its text, else the only one, else the configuration.
    pub(super) fn param_of(&self, refusal: &Invalid) -> Option<&'static Param> {
        let find = |name: &str| self.params.iter().find(|param| param.name == name);
        if let Some(name) = refusal.parameter() {
            return find(name);
        }
        let text = refusal.to_string();
        let text = text.strip_prefix("Invalid value for ").unwrap_or(&text);
        let named = text.split_once(':').and_then(|(name, _)| find(name));
        named.or(match self.params {
            [only] => Some(only),
            _ => self.config_param().and_then(find),
        })
    }

    /// Whether a caller with this access may do it to some domain, or to the host.
    pub(super) fn is_offered(&self, access: &Access) -> bool {
        self.kinds.iter().any(|kind| access.may(*kind)) && self.files_are_allowed(access)
    }

    /// Whether a caller with this access may do it to the domain.
    pub(super) fn is_offered_on(&self, access: &Access, domain: &DomainView) -> bool {
        let may = |kind: &OpKind| access.may_on(*kind, domain.uuid, domain.name().as_str());
        self.kinds.iter().any(may) && self.files_are_allowed(access)
    }

    fn files_are_allowed(&self, access: &Access) -> bool {
        let names_file = self
            .params
            .iter()
            .any(|param| param.kind == ParamKind::Path && param.default.is_none());
        !names_file || access.may_name_files()
    }

    /// Whether it has an optional parameter with this name.
    pub(super) fn has_optional(&self, name: &str) -> bool {
        self.params.iter().any(|param| param.name == name && param.default.is_some())
    }

    /// Whether it has a parameter with this name that people write into a text area.
    pub(super) fn has_text_area(&self, name: &str) -> bool {
        let is_text_area = |kind| matches!(kind, ParamKind::Lines(_));
        self.params.iter().any(|param| param.name == name && is_text_area(param.kind))
    }

    /// Whether the agent in the guest does it. Pages have these under a heading of their own.
    pub(super) fn is_done_by_agent(&self) -> bool {
        self.kinds.iter().all(|kind| kind.need() == Need::Domain(Right::Guest))
    }
}

/// The stage of a domain's life, as far as it decides which operations are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DomainStage {
    Dom0,
    /// On the host, and not Domain-0.
    Guest,
    /// Defined, not on the host.
    Halted,
    /// Defined, with its memory in a file.
    Suspended,
}

impl DomainStage {
    /// The stage of a domain.
    pub(super) fn of(view: &DomainView) -> Self {
        match view.state() {
            _ if view.is_privileged() => Self::Dom0,
            State::Suspended => Self::Suspended,
            _ if view.facts.is_none() => Self::Halted,
            _ => Self::Guest,
        }
    }
}

pub(super) const ANY_STAGE: [DomainStage; 4] =
    [DomainStage::Dom0, DomainStage::Guest, DomainStage::Halted, DomainStage::Suspended];
pub(super) const GUEST: [DomainStage; 1] = [DomainStage::Guest];
pub(super) const HALTED: [DomainStage; 1] = [DomainStage::Halted];
pub(super) const SUSPENDED: [DomainStage; 1] = [DomainStage::Suspended];
pub(super) const DESTROYABLE: [DomainStage; 2] = [DomainStage::Guest, DomainStage::Suspended];

/// A request for an operation.
pub(super) struct OperationRequest<'a> {
    /// The domain or the vnet in the page's path; empty on other pages.
    pub(super) name: &'a str,
    /// The domain in the page's path, as it was when the request came; `None` on other pages.
    pub(super) view: Option<&'a DomainView>,
    pub(super) params: &'a Params,
    /// The parameter `config` of a JSON body.
    pub(super) config: Option<&'a Sxp>,
    pub(super) policy: &'a Policy,
    /// The UUID of what the operation makes, if it makes something that has one.
    pub(super) new_uuid: Uuid,
}

impl OperationRequest<'_> {
    /// A change of the domain in the path.
    #[allow(clippy::unnecessary_wraps, reason = "the last expression of most `build` functions")]
    pub(super) fn change(&self, op: DomainOp) -> Result<EngineRequest, Invalid> {
        Ok(Change::Domain(self.domain(), op).into())
    }

    /// Reads the parameter `config`: the S-expression of a form, of whose errors `refuse` makes a
    /// refusal, or a JSON body's.
    pub(super) fn config<T>(
        &self,
        read: impl Fn(&Sxp) -> Result<T, ShapeError>,
        refuse: impl FnOnce(ConfigTextError) -> Invalid,
    ) -> Result<T, Invalid> {
        match self.config {
            Some(tree) => read(tree).map_err(|error| places::refusal("config", tree, &error)),
            None => config_text::parse(&self.params.single("config")?, read).map_err(refuse),
        }
    }

    /// The domain in the path.
    pub(super) fn domain(&self) -> DomainRef {
        DomainRef::new(self.name)
    }
}

/// A parameter of an operation or of a query.
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) kind: ParamKind,
    /// The value if it is left out, in words; `None` if it is required.
    pub(super) default: Option<&'static str>,
    pub(super) about: &'static str,
    /// A valid value.
    pub(super) example: &'static str,
}

impl Param {
    /// The name in JSON, which has the unit in it.
    pub(super) fn json_name(&self) -> Cow<'static, str> {
        match self.kind {
            ParamKind::Quantity(quantity) => (self.name.to_owned() + quantity.suffix()).into(),
            _ => self.name.into(),
        }
    }
}

/// A required parameter.
pub(super) const fn required(
    name: &'static str,
    kind: ParamKind,
    about: &'static str,
    example: &'static str,
) -> Param {
    Param { name, kind, default: None, about, example }
}

/// A parameter that can be left out.
pub(super) const fn optional(
    name: &'static str,
    kind: ParamKind,
    default: &'static str,
    about: &'static str,
    example: &'static str,
) -> Param {
    Param { name, kind, default: Some(default), about, example }
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParamKind {
    /// A whole number from 0 up, with a word on what it is.
    Number(&'static str),
    /// A whole number from 0 up, in this unit.
    Quantity(Quantity),
    /// 0 or 1.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Text, with a word on its format.
    Text(&'static str),
    /// Text of any number of lines, with a word on its format.
    Lines(&'static str),
    /// JSON of this.
    Json(&'static str),
    /// A password. Nothing shows it again.
    Password,
    /// The absolute path of a file on the host.
    Path,
    /// The configuration of this, as an S-expression; in JSON bodies, as an object.
    Config(ConfigKind),
}

/// What a configuration is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConfigKind {
    Domain,
    Device,
    Vnet,
}

impl ConfigKind {
    /// What it is in words.
    const fn about(self) -> &'static str {
        match self {
            Self::Domain => "a domain's configuration",
            Self::Device => "a device",
            Self::Vnet => "a virtual network",
        }
    }
}

impl ParamKind {
    /// The type in a word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Number(_) | Self::Quantity(_) => "number",
            Self::Flag => "flag",
            Self::Word(_) => "word",
            Self::Text(_) | Self::Lines(_) => "text",
            Self::Json(_) => "json",
            Self::Password => "password",
            Self::Path => "path",
            Self::Config(_) => "s-expression",
        }
    }

    /// The values that are accepted, if they can be listed.
    pub(super) const fn allowed(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Word(words) => Some(words),
            Self::Flag => Some(&["true", "false"]),
            _ => None,
        }
    }

    /// The unit of a number, or the values or the format that are accepted.
    pub(super) fn unit(self) -> String {
        match self {
            Self::Number(unit) | Self::Text(unit) | Self::Lines(unit) | Self::Json(unit) => {
                unit.to_owned()
            }
            Self::Quantity(quantity) => quantity.unit().to_owned(),
            Self::Config(kind) => kind.about().to_owned(),
            Self::Password => "a line of text".to_owned(),
            Self::Flag => "0 or 1".to_owned(),
            Self::Word(words) => words.join(", "),
            Self::Path => "absolute path on the host".to_owned(),
        }
    }
}

/// The request to the engine for an urlencoded form, on the page of a domain with one vif.
#[cfg(test)]
pub(super) fn build_from_form(operation: &Operation, form: &str) -> Result<EngineRequest, Invalid> {
    let policy = Policy { node_shutdown: true, ..Policy::default() };
    let params = Params::from_form(form.as_bytes());
    let mut config = DomainConfig::new(DomName::new("web1")?, 64);
    let mac = Some("00:16:3e:11:22:33".parse()?);
    config.devices.push(Device::Vif(Vif { mac, ..Vif::default() }));
    let view = DomainView::defined(Uuid::nil(), config);
    // Objects that are no domains have UUIDs.
    let is_of_domain = !operation.stages.is_empty();
    operation.request(&OperationRequest {
        name: if is_of_domain { "web1" } else { "5c31b5a9-3b63-4b2c-9c43-3d24f94b1a11" },
        view: Some(&view),
        params: &params,
        config: None,
        policy: &policy,
        new_uuid: Uuid::from_u128(1),
    })
}
