//! Scheduler parameters on a simulated host.

use crate::sim_support::{advance, completed, config, facts, host, settings};
use std::sync::Arc;
use std::time::Duration;
use xend::backend::sim::SimSettings;
use xend::core::error::Error;
use xend::core::model::{DomId, Rtds, SchedParams, Scheduler, SedfParams};
use xend::core::ports::Hypervisor;

#[tokio::test(start_paused = true)]
async fn only_parameters_of_the_hosts_scheduler_are_accepted() {
    let ms = Duration::from_millis;
    let sedf = |period, slice, extratime| {
        SchedParams::Sedf(SedfParams {
            period: ms(period),
            slice: ms(slice),
            latency: ms(0),
            extratime,
            weight: 0,
        })
    };
    let rtds = |period, budget| SchedParams::Rtds(Rtds { period: ms(period), budget: ms(budget) });
    for (scheduler, zero, guest, new) in [
        (
            Scheduler::Credit,
            SchedParams::Credit { weight: 256, cap: 0 },
            SchedParams::Credit { weight: 256, cap: 0 },
            SchedParams::Credit { weight: 1, cap: 50 },
        ),
        (
            Scheduler::Credit2,
            SchedParams::Credit2 { weight: 256, cap: 0 },
            SchedParams::Credit2 { weight: 256, cap: 0 },
            SchedParams::Credit2 { weight: 65535, cap: 0 },
        ),
        (Scheduler::Sedf, sedf(20, 15, true), sedf(100, 0, true), sedf(20, 5, false)),
        (Scheduler::Rtds, rtds(10, 4), rtds(10, 4), rtds(20, 20)),
    ] {
        let (_dir, sim) = host(SimSettings { scheduler, ..settings() });
        let domid =
            sim.create(&completed(&config("busy", 64)), Arc::default()).await.unwrap().domid;
        assert_eq!(sim.sched_params(DomId::ZERO).await.unwrap(), zero);
        assert_eq!(sim.sched_params(domid).await.unwrap(), guest);
        for id in [DomId::ZERO, domid] {
            sim.set_sched_params(id, new).await.unwrap();
            assert_eq!(sim.sched_params(id).await.unwrap(), new);
        }
        let other = if scheduler == Scheduler::Sedf { rtds(10, 1) } else { sedf(10, 1, false) };
        assert!(matches!(sim.set_sched_params(domid, other).await, Err(Error::Unsupported(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_cap_takes_effect_at_once() {
    let (_dir, sim) = host(settings());
    let domid = sim.create(&completed(&config("busy", 64)), Arc::default()).await.unwrap().domid;
    sim.unpause(domid).await.unwrap();
    advance(10_000).await;
    let before = facts(&sim, domid).await.cpu_time;
    sim.set_sched_params(domid, SchedParams::Credit { weight: 256, cap: 10 }).await.unwrap();
    assert!(facts(&sim, domid).await.cpu_time.abs_diff(before) < Duration::from_millis(5));
    advance(10_000).await;
    let used = facts(&sim, domid).await.cpu_time.saturating_sub(before);
    assert!(used.abs_diff(Duration::from_secs(1)) < Duration::from_millis(5), "{used:?}");
}
