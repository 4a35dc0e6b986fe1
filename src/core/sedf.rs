//! SEDF parameters on hosts without the SEDF scheduler.
//!
//! Scripts call `cpu_sedf_set` whatever the scheduler is, and Xen removed SEDF in 4.6. The
//! parameters are translated to those of the host's scheduler. Latency has no counterpart and is
//! only remembered.

use super::model::{Invalid, Rtds, SchedParams, SedfParams};
use std::time::Duration;

/// The SEDF period of a credit cap: one percent of a CPU is a slice of 1 ms.
const CREDIT_PERIOD: Duration = Duration::from_millis(100);

/// Checks parameters. The error names the field at fault.
pub fn check(params: &SedfParams) -> Result<(), Invalid> {
    if params.slice > params.period {
        return Err(Invalid::new(format!(
            "slice: {} ns is more than the period, {} ns",
            params.slice.as_nanos(),
            params.period.as_nanos()
        )));
    }
    if params.period.is_zero() && params.weight == 0 {
        return Err(Invalid::new("period: 0 ns, give a period, or a weight and no slice"));
    }
    if params.weight > u32::from(u16::MAX) {
        return Err(Invalid::new(format!(
            "weight: {} is out of range, 0 to {}",
            params.weight,
            u16::MAX
        )));
    }
    Ok(())
}

/// Translates SEDF parameters for the host's scheduler, in which the domain has `current`.
pub fn translate(params: &SedfParams, current: &SchedParams) -> Result<SchedParams, Invalid> {
    check(params)?;
    Ok(match *current {
        SchedParams::Sedf(_) => SchedParams::Sedf(*params),
        SchedParams::Rtds(_) => {
            if params.period < Duration::from_micros(1) || params.slice < Duration::from_micros(1) {
                return Err(Invalid::new(
                    "slice: this host's scheduler (rtds) needs a period and a slice of 1000 ns at \
                     least",
                ));
            }
            SchedParams::Rtds(Rtds { period: params.period, budget: params.slice })
        }
        SchedParams::Credit { weight, cap } => {
            let (weight, cap) = credit(params, weight, cap);
            SchedParams::Credit { weight, cap }
        }
        SchedParams::Credit2 { weight, cap } => {
            let (weight, cap) = credit(params, weight, cap);
            SchedParams::Credit2 { weight, cap }
        }
    })
}

/// Weight and cap (percent of one CPU). A weight without a slice is SEDF's own form of a share.
fn credit(params: &SedfParams, weight: u16, cap: u16) -> (u16, u16) {
    if params.weight > 0 && params.slice.is_zero() {
        return (u16::try_from(params.weight).unwrap_or(u16::MAX), cap);
    }
    if params.extratime {
        return (weight, 0);
    }
    let percent = (params.slice.as_nanos() * 100).div_ceil(params.period.as_nanos().max(1));
    (weight, u16::try_from(percent).unwrap_or(u16::MAX))
}

/// Expresses the parameters of the host's scheduler as SEDF parameters.
pub fn from_sched_params(params: &SchedParams) -> SedfParams {
    match *params {
        SchedParams::Sedf(sedf) => sedf,
        SchedParams::Rtds(Rtds { period, budget }) => SedfParams {
            period,
            slice: budget,
            latency: Duration::ZERO,
            extratime: false,
            weight: 0,
        },
        SchedParams::Credit { weight, cap: 0 } | SchedParams::Credit2 { weight, cap: 0 } => {
            SedfParams {
                period: CREDIT_PERIOD,
                slice: Duration::ZERO,
                latency: Duration::ZERO,
                extratime: true,
                weight: u32::from(weight),
            }
        }
        SchedParams::Credit { cap, .. } | SchedParams::Credit2 { cap, .. } => SedfParams {
            // A cap above one CPU would be a slice longer than its period, so the period grows.
            period: CREDIT_PERIOD * u32::from(cap.div_ceil(100)),
            slice: Duration::from_millis(u64::from(cap)),
            latency: Duration::ZERO,
            extratime: false,
            weight: 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sedf(period: u64, slice: u64, extratime: bool, weight: u32) -> SedfParams {
        SedfParams {
            period: Duration::from_nanos(period),
            slice: Duration::from_nanos(slice),
            latency: Duration::ZERO,
            extratime,
            weight,
        }
    }

    #[test]
    fn on_credit_a_slice_is_a_cap() {
        let now = SchedParams::Credit { weight: 300, cap: 7 };
        let set = |p| translate(&p, &now).unwrap();
        assert_eq!(
            set(sedf(20_000_000, 5_000_000, false, 0)),
            SchedParams::Credit { weight: 300, cap: 25 }
        );
        assert_eq!(set(sedf(3, 1, false, 0)), SchedParams::Credit { weight: 300, cap: 34 });
        assert_eq!(
            set(sedf(20_000_000, 5_000_000, true, 0)),
            SchedParams::Credit { weight: 300, cap: 0 }
        );
        assert_eq!(set(sedf(0, 0, false, 512)), SchedParams::Credit { weight: 512, cap: 7 });
    }

    #[test]
    fn on_rtds_times_stay_times() {
        let now = SchedParams::Rtds(Rtds {
            period: Duration::from_millis(10),
            budget: Duration::from_millis(4),
        });
        let set = translate(&sedf(20_000_000, 5_000_000, false, 0), &now).unwrap();
        assert_eq!(
            set,
            SchedParams::Rtds(Rtds {
                period: Duration::from_millis(20),
                budget: Duration::from_millis(5)
            })
        );
        assert!(translate(&sedf(20, 5, false, 0), &now).is_err());
    }

    #[test]
    fn errors_name_the_field() {
        for (params, field) in [
            (sedf(5, 6, false, 0), "slice"),
            (sedf(0, 0, false, 0), "period"),
            (sedf(1, 0, false, 65536), "weight"),
        ] {
            assert!(check(&params).unwrap_err().to_string().starts_with(field));
        }
    }

    #[test]
    fn sched_params_are_expressed_as_sedf() {
        assert_eq!(
            from_sched_params(&SchedParams::Credit { weight: 256, cap: 0 }),
            sedf(100_000_000, 0, true, 256)
        );
        assert_eq!(
            from_sched_params(&SchedParams::Credit2 { weight: 256, cap: 25 }),
            sedf(100_000_000, 25_000_000, false, 0)
        );
        let two_and_a_half = from_sched_params(&SchedParams::Credit { weight: 1, cap: 250 });
        check(&two_and_a_half).unwrap();
        assert!(two_and_a_half.slice <= two_and_a_half.period);
    }
}
