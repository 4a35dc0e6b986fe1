//! The measures of all changes and calls.

use super::hypervisor_call::HypervisorCall;
use super::measures::{Measurement, Measures};
use crate::core::rights::OpKind;
use std::array;

/// The measures of the changes of [`Engine::execute`](crate::core::engine::Engine::execute), and of
/// the calls of the hypervisor.
#[derive(Debug)]
pub(in crate::core) struct Counters {
    operations: [Measures; OpKind::ALL.len()],
    calls: [Measures; HypervisorCall::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            operations: array::from_fn(|_| Measures::default()),
            calls: array::from_fn(|_| Measures::default()),
        }
    }
}

impl Counters {
    /// The measures of a kind of change.
    pub(in crate::core) fn operation(&self, kind: OpKind) -> &Measures {
        // There is a place for each kind, see the test.
        &self.operations[kind as usize]
    }

    /// The measures of a call.
    pub(in crate::core) fn call(&self, call: HypervisorCall) -> &Measures {
        &self.calls[call as usize]
    }

    /// What was measured of the kinds of changes that were asked for.
    pub(in crate::core) fn operations(&self) -> Vec<(OpKind, Measurement)> {
        let measured = |kind: &OpKind| Some((*kind, self.operation(*kind).measurement()?));
        OpKind::ALL.iter().filter_map(measured).collect()
    }

    /// What was measured of the calls that were made.
    pub(in crate::core) fn calls(&self) -> Vec<(HypervisorCall, Measurement)> {
        let measured = |call: &HypervisorCall| Some((*call, self.call(*call).measurement()?));
        HypervisorCall::ALL.iter().filter_map(measured).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_kind_and_each_call_has_its_own_place() {
        let counters = Counters::default();
        for kind in OpKind::ALL {
            counters.operation(*kind).run(async { Ok(()) }).await.unwrap();
        }
        for call in HypervisorCall::ALL {
            counters.call(*call).run(async { Ok(()) }).await.unwrap();
        }
        let once = |measured: &Measurement| measured.durations.count() == 1;
        let kinds: Vec<_> = counters.operations();
        assert_eq!(kinds.len(), OpKind::ALL.len());
        assert!(kinds.iter().all(|(_, measured)| once(measured)));
        let calls: Vec<_> = counters.calls();
        assert_eq!(calls.len(), HypervisorCall::ALL.len());
        assert!(calls.iter().all(|(_, measured)| once(measured)));
    }
}
