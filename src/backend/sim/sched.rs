//! Parameters of schedulers: their defaults, their ranges, and the CPU that they allow a domain.

use super::guest::{ONE_CPU, Ppm};
use crate::core::error::Error;
use crate::core::model::{DomId, DomainConfig, Invalid, Rtds, SchedParams, Scheduler, SedfParams};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The range of a period of the real-time schedulers.
const PERIODS: RangeInclusive<Duration> = Duration::from_micros(10)..=Duration::from_secs(10);

/// The shortest slice or budget of the real-time schedulers.
const MIN_SLICE: Duration = Duration::from_micros(5);

/// The parameters of a new domain.
pub(super) fn initial(scheduler: Scheduler, domid: DomId, config: &DomainConfig) -> SchedParams {
    let weight = config.cpu_weight;
    let cap = config.cpu_cap;
    match scheduler {
        Scheduler::Credit => SchedParams::Credit { weight, cap },
        Scheduler::Credit2 => SchedParams::Credit2 { weight, cap },
        Scheduler::Sedf => SchedParams::Sedf(config.sedf.unwrap_or_else(|| initial_sedf(domid))),
        Scheduler::Rtds => SchedParams::Rtds(Rtds {
            period: Duration::from_millis(10),
            budget: Duration::from_millis(4),
        }),
    }
}

fn initial_sedf(domid: DomId) -> SedfParams {
    let (period, slice) = if domid == DomId::ZERO { (20, 15) } else { (100, 0) };
    SedfParams {
        period: Duration::from_millis(period),
        slice: Duration::from_millis(slice),
        latency: Duration::ZERO,
        extratime: true,
        weight: 0,
    }
}

/// Refuses parameters of another scheduler than the host's, and those that are out of range for a
/// domain with `vcpus` VCPUs.
pub(super) fn check(host: Scheduler, params: SchedParams, vcpus: u32) -> Result<(), Error> {
    if params.scheduler() != host {
        let asked = params.scheduler();
        return Err(Error::Unsupported(format!(
            "The scheduler of this host is {host}, not {asked}"
        )));
    }
    match params {
        SchedParams::Credit { weight, cap } | SchedParams::Credit2 { weight, cap } => {
            check_credit(weight, cap, vcpus)
        }
        SchedParams::Sedf(params) => check_sedf(params),
        SchedParams::Rtds(Rtds { period, budget }) => check_reservation(period, budget, "budget"),
    }
    .map_err(Error::from)
}

fn check_credit(weight: u16, cap: u16, vcpus: u32) -> Result<(), Invalid> {
    let most = vcpus.saturating_mul(100);
    if weight == 0 {
        return Err(Invalid::new("weight: 0 is out of range, 1 to 65535"));
    }
    if u32::from(cap) > most {
        return Err(Invalid::new(format!(
            "cap: {cap} is out of range, 0 to {most} for {vcpus} VCPUs (100 is one CPU)"
        )));
    }
    Ok(())
}

fn check_sedf(params: SedfParams) -> Result<(), Invalid> {
    let SedfParams { period, slice, extratime, weight, .. } = params;
    if !slice.is_zero() {
        return check_reservation(period, slice, "slice");
    }
    if weight == 0 && !extratime {
        return Err(Invalid::new(
            "slice: 0 needs a weight or extratime=1, or the domain would never run",
        ));
    }
    Ok(())
}

fn check_reservation(period: Duration, slice: Duration, what: &str) -> Result<(), Invalid> {
    if !PERIODS.contains(&period) {
        return Err(Invalid::new(format!(
            "period: {period:?} is out of range, {:?} to {:?}",
            PERIODS.start(),
            PERIODS.end()
        )));
    }
    if slice < MIN_SLICE || slice > period {
        return Err(Invalid::new(format!(
            "{what}: {slice:?} is out of range, {MIN_SLICE:?} to the period, {period:?}"
        )));
    }
    Ok(())
}

/// The most CPU that the parameters allow a domain with `online` VCPUs.
pub(super) fn limit(params: SchedParams, online: u32) -> Ppm {
    let all = u64::from(online) * ONE_CPU;
    match params {
        SchedParams::Credit { cap, .. } | SchedParams::Credit2 { cap, .. } if cap > 0 => {
            all.min(u64::from(cap) * ONE_CPU / 100)
        }
        SchedParams::Sedf(p) if !p.extratime && !p.slice.is_zero() => {
            reserved(p.slice, p.period, online)
        }
        SchedParams::Rtds(p) => reserved(p.budget, p.period, online),
        SchedParams::Credit { .. } | SchedParams::Credit2 { .. } | SchedParams::Sedf(_) => all,
    }
}

/// `slice` of every `period` on each VCPU.
fn reserved(slice: Duration, period: Duration, online: u32) -> Ppm {
    let of_one = slice.as_nanos().saturating_mul(u128::from(ONE_CPU)) / period.as_nanos().max(1);
    u64::try_from(of_one).unwrap_or(ONE_CPU).min(ONE_CPU) * u64::from(online)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::DomName;

    fn sedf_of(period: u64, slice: u64, extratime: bool, weight: u32) -> SchedParams {
        SchedParams::Sedf(SedfParams {
            period: Duration::from_micros(period),
            slice: Duration::from_micros(slice),
            latency: Duration::ZERO,
            extratime,
            weight,
        })
    }

    #[test]
    fn the_parameters_of_a_new_domain_are_valid() {
        let config = DomainConfig::new(DomName::new("a").unwrap(), 64);
        for scheduler in [Scheduler::Credit, Scheduler::Credit2, Scheduler::Sedf, Scheduler::Rtds] {
            for domid in [DomId::ZERO, DomId(1)] {
                let params = initial(scheduler, domid, &config);
                assert_eq!(params.scheduler(), scheduler);
                check(scheduler, params, 1).unwrap();
            }
        }
    }

    #[test]
    fn invalid_parameters_are_refused_by_name() {
        let refusal = |host, params| check(host, params, 2).unwrap_err().to_string();
        let credit = |weight, cap| SchedParams::Credit { weight, cap };
        assert_eq!(
            refusal(Scheduler::Sedf, credit(1, 0)),
            "The scheduler of this host is sedf, not credit"
        );
        assert!(refusal(Scheduler::Credit, credit(0, 0)).starts_with("weight: 0"));
        assert!(refusal(Scheduler::Credit, credit(1, 201)).starts_with("cap: 201"));
        check(Scheduler::Credit, credit(65535, 200), 2).unwrap();
        assert!(refusal(Scheduler::Sedf, sedf_of(1, 1, false, 0)).starts_with("period: 1"));
        assert!(refusal(Scheduler::Sedf, sedf_of(100, 101, false, 0)).starts_with("slice: 101"));
        assert!(refusal(Scheduler::Sedf, sedf_of(100, 0, false, 0)).starts_with("slice: 0"));
        check(Scheduler::Sedf, sedf_of(0, 0, false, 3), 2).unwrap();
        let rtds = SchedParams::Rtds(Rtds {
            period: Duration::from_millis(1),
            budget: Duration::from_millis(2),
        });
        assert!(refusal(Scheduler::Rtds, rtds).starts_with("budget: 2ms"));
    }

    #[test]
    fn parameters_limit_the_cpu_of_a_domain() {
        assert_eq!(limit(SchedParams::Credit { weight: 256, cap: 0 }, 2), 2 * ONE_CPU);
        assert_eq!(limit(SchedParams::Credit2 { weight: 256, cap: 50 }, 2), ONE_CPU / 2);
        assert_eq!(limit(SchedParams::Credit { weight: 256, cap: 150 }, 1), ONE_CPU);
        assert_eq!(limit(sedf_of(100, 25, false, 0), 2), ONE_CPU / 2);
        assert_eq!(limit(sedf_of(100, 25, true, 0), 2), 2 * ONE_CPU);
    }
}
