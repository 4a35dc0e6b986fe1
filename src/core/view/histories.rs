//! What domains and the host used.

use super::View;
use crate::core::error::Error;
use crate::core::histories::minute_of;
use crate::core::model::{DomainRef, Span, UsageHistory, UsageOf};
use crate::core::rights::OpKind;
use crate::core::snapshot::DomainView;
use std::sync::Arc;

impl View {
    /// What a domain used over a span, up to the last whole minute. A domain that was just defined
    /// has used nothing.
    pub async fn usage(
        &self,
        domain: &DomainRef,
        span: Span,
    ) -> Result<(Arc<DomainView>, UsageHistory), Error> {
        let view = self.lookup(domain)?;
        self.require_on(OpKind::ReadSamples, "history", &view)?;
        let history = self.history_of(UsageOf::Domain(view.uuid), span).await?;
        Ok((view, history))
    }

    /// What the host used over a span, up to the last whole minute: CPU time and memory of all
    /// domains together, and what their devices moved.
    pub async fn host_usage(&self, span: Span) -> Result<UsageHistory, Error> {
        self.require(OpKind::ShowHost, "history")?;
        self.history_of(UsageOf::Host, span).await
    }

    async fn history_of(&self, of: UsageOf, span: Span) -> Result<UsageHistory, Error> {
        let minute = minute_of(self.core.clock.now()).saturating_sub(1);
        let read = self.core.store.usage(of, span, minute);
        self.core.limited("Reading the history", read).await
    }
}
