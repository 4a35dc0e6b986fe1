//! Reads files.

use super::domain::{Defaults, configuration, unusual};
use super::error::{Fault, XmConfigError};
use super::language::{Variable, Variables, read};
use super::overrides::Overrides;
use xend_sxp::Sxp;

/// A file as an S-expression. It has no `Debug`: the configuration can contain passwords.
pub struct Conversion {
    /// `(vm ...)`, as xm sent it to xend. The offset of an expression is that of the value in the
    /// file that it was made from.
    pub config: Sxp,
    /// What is probably a mistake or has no effect, in the order of the file.
    pub warnings: Vec<XmConfigError>,
}

/// Converts a file to an S-expression, without checking the values that xend checked.
pub fn convert(text: &[u8], defaults: &Defaults<'_>) -> Result<Conversion, XmConfigError> {
    convert_with(text, defaults, &Overrides::default())
}

/// The same, of a file and the arguments `NAME=VALUE` beside it.
pub fn convert_with(
    text: &[u8],
    defaults: &Defaults<'_>,
    overrides: &Overrides,
) -> Result<Conversion, XmConfigError> {
    let variables = read_with(text, overrides)?;
    let error = |fault| XmConfigError::new(fault, text);
    let mut warnings = Vec::new();
    let config = configuration(&variables, defaults, &mut warnings).map_err(error)?;
    unusual(&variables, &mut warnings);
    warnings.sort_by_key(Fault::offset);
    Ok(Conversion { config, warnings: warnings.into_iter().map(error).collect() })
}

/// Reads the variables of a file and of the arguments `NAME=VALUE` beside it.
pub fn read_with(text: &[u8], overrides: &Overrides) -> Result<Variables, XmConfigError> {
    let mut variables = Variables::default();
    overrides.set_before(&mut variables);
    let mut variables = read(text, variables).map_err(|fault| XmConfigError::new(fault, text))?;
    overrides.set_after(&mut variables);
    Ok(variables)
}

/// The name that a file gives its domain, and the offset of the value. It is `default`, which xm
/// took from the name of the file, if the file sets none.
pub fn name(variables: &Variables, default: &str) -> (String, u32) {
    match variables.get("name").map(Variable::value) {
        Some(value) if value.data.is_true() => {
            (String::from_utf8_lossy(&value.data.to_text()).into_owned(), value.offset)
        }
        _ => (default.to_owned(), 0),
    }
}
