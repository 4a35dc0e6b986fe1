//! The domains that configuration files of xm and xl describe.

use crate::core::model::{DomName, DomainConfig};
use crate::shape;
use crate::xmconfig::{self, Defaults, XmConfigError};

/// Reads the domain that a file describes.
///
/// ```
/// use xend::xm_file::read_domain;
/// use xend::xmconfig::{Defaults, XmConfigError};
///
/// let text = b"kernel = '/boot/vmlinuz'\nname = 'web%d' % 1\nvif = ['bridge=xenbr0']";
/// let config = read_domain(text, &Defaults::default())?;
/// assert_eq!((config.name.as_str(), config.memory, config.devices.len()), ("web1", 128, 1));
/// # Ok::<(), XmConfigError>(())
/// ```
pub fn read_domain(text: &[u8], defaults: &Defaults<'_>) -> Result<DomainConfig, XmConfigError> {
    let conversion = xmconfig::convert(text, defaults)?;
    shape::read_config(&conversion.config)
        .map_err(|error| XmConfigError::at(error.offset(), error.to_string(), text))
}

/// Reads only the name of the domain that a file describes: `default`, which xm took from the name
/// of the file, if the file sets none.
pub fn read_name(text: &[u8], default: &str) -> Result<DomName, XmConfigError> {
    let (name, offset) = xmconfig::name(&xmconfig::read_variables(text)?, default);
    DomName::new(&name).map_err(|reason| XmConfigError::at(offset, format!("name: {reason}"), text))
}
