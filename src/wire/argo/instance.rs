//! Instances: domains, and configuration files of domains that were never built.

use super::context::Argo;
use crate::core::error::Error;
use crate::core::model::{DomainConfig, DomainRef};
use crate::core::rights::Rights;
use crate::core::snapshot::DomainView;
use crate::core::view::View;
use std::sync::Arc;

/// An instance that the caller sees.
#[derive(Debug, Clone)]
pub(super) enum Instance {
    /// A domain that is on the host, or is defined.
    Domain(Arc<DomainView>),
    /// A configuration file. A domain of its name hides it.
    File(Arc<DomainConfig>),
}

impl Instance {
    /// The instance with a name, domid or UUID, if the caller sees it.
    pub(super) async fn find(argo: &Argo, view: &View, name: &str) -> Result<Self, Error> {
        match view.domain(&DomainRef::new(name)).await {
            Err(Error::NoSuchDomain(_)) => {}
            found => return found.map(Self::Domain),
        }
        let missing = || Error::NoSuchDomain(name.to_owned());
        // The rights come first: nobody waits for the disk because of others' names.
        if view.caller().access().rights_on(None, name).is_empty() {
            return Err(missing());
        }
        let files = argo.options().domain_files.as_ref().ok_or_else(missing)?;
        let files = files.all().await.unwrap_or_default();
        let file = files.into_iter().find(|file| file.config.name.as_str() == name);
        Ok(Self::File(file.ok_or_else(missing)?.config))
    }

    pub(super) fn name(&self) -> &str {
        self.config().name.as_str()
    }

    /// The configuration that the domain runs with, or would be started with.
    pub(super) fn config(&self) -> &DomainConfig {
        match self {
            Self::Domain(domain) => &domain.config,
            Self::File(config) => config,
        }
    }

    /// The domain; an error for a file.
    pub(super) fn domain(&self) -> Result<&DomainView, Error> {
        match self {
            Self::Domain(domain) => Ok(domain),
            Self::File(config) => Err(Error::NotStarted(config.name.to_string())),
        }
    }

    /// The domain by its UUID, since another one may have its name by now; an error for a file.
    pub(super) fn target(&self) -> Result<DomainRef, Error> {
        Ok(DomainRef::new(self.domain()?.uuid.to_string()))
    }

    /// The caller's rights.
    pub(super) fn rights(&self, view: &View) -> Rights {
        match self {
            Self::Domain(domain) => view.rights_on(domain),
            Self::File(config) => view.caller().access().rights_on(None, config.name.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, Uuid};

    #[test]
    fn what_was_checked_is_what_is_changed() {
        let config = DomainConfig::new(DomName::new("lj").unwrap(), 64);
        let file = Instance::File(Arc::new(config.clone()));
        assert!(matches!(file.target(), Err(Error::NotStarted(name)) if name == "lj"));
        let uuid = Uuid::from_u128(7);
        let domain = Instance::Domain(Arc::new(DomainView::defined(uuid, config)));
        assert_eq!(domain.target().unwrap().as_str(), uuid.to_string());
    }
}
