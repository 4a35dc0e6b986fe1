//! Definitions as text: as they are stored, in etcd as on the disk.

use crate::core::model::{CompleteConfig, Invalid, Uuid};
use crate::core::ports::Entropy;
use crate::fleet::domain::MAX_TEXT;
use crate::fleet::keys;
use crate::shape;
use crate::sxp::{Limits, Sxp, pretty, read_one};

/// The width of printed definitions, as in the store.
const WIDTH: usize = 100;

/// The text of a definition.
pub(super) fn text_of(definition: &CompleteConfig) -> String {
    print(&shape::stored_config(definition))
}

/// What tells one text from another.
pub(super) fn digest_of(definition: &CompleteConfig) -> String {
    keys::digest(text_of(definition).as_bytes())
}

pub(super) fn print(tree: &Sxp) -> String {
    format!("{}\n", pretty(tree, WIDTH))
}

/// Refuses a definition that is too long for a fleet.
pub(super) fn check_length(text: &str) -> Result<(), Invalid> {
    if text.len() <= MAX_TEXT {
        return Ok(());
    }
    let kib = text.len().div_ceil(1024);
    let most = MAX_TEXT >> 10;
    Err(Invalid::new(format!(
        "configuration: as it is stored it has {kib} KiB, and a fleet takes {most} KiB at most: \
         shorten its longest values"
    )))
}

/// Reads the text of a definition. The error has nothing of the text.
pub(super) fn read_text(
    tree: &Sxp,
    domain: Uuid,
    entropy: &dyn Entropy,
) -> Result<CompleteConfig, String> {
    let mut config = shape::read_stored(tree).map_err(|reason| reason.to_string())?;
    match config.uuid {
        Some(other) if other != domain => Err(format!("it is the definition of {other}")),
        _ => {
            config.uuid = Some(domain);
            CompleteConfig::for_definition(config, entropy).map_err(|reason| reason.to_string())
        }
    }
}

/// The S-expression of a text.
pub(super) fn parse(text: &str) -> Result<Sxp, String> {
    read_one(text.as_bytes(), &Limits::STORED).map_err(|reason| format!("{reason:#}"))
}
