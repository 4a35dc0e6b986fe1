//! Parameters of schedulers, as libxl's JSON in both directions.

use crate::core::error::Error;
use crate::core::model::{Rtds, SchedParams, Scheduler};
use serde_json::{Value, json};
use std::time::Duration;

/// A `libxl_domain_sched_params`.
pub(super) fn to_json(params: SchedParams) -> Result<Value, Error> {
    match params {
        SchedParams::Credit { weight, cap } => {
            Ok(json!({ "sched": "credit", "weight": weight, "cap": cap }))
        }
        SchedParams::Credit2 { weight, cap } => {
            Ok(json!({ "sched": "credit2", "weight": weight, "cap": cap }))
        }
        SchedParams::Rtds(Rtds { period, budget }) => {
            Ok(json!({ "sched": "rtds", "period": micros(period), "budget": micros(budget) }))
        }
        SchedParams::Sedf(_) => Err(no_sedf()),
    }
}

pub(super) fn from_json(value: &Value) -> Result<SchedParams, Error> {
    let number = |key: &str| value[key].as_u64().unwrap_or(0);
    let small = |key: &str| u16::try_from(number(key)).unwrap_or(u16::MAX);
    match scheduler(value["sched"].as_str().unwrap_or_default())? {
        Scheduler::Credit => Ok(SchedParams::Credit { weight: small("weight"), cap: small("cap") }),
        Scheduler::Credit2 => {
            Ok(SchedParams::Credit2 { weight: small("weight"), cap: small("cap") })
        }
        Scheduler::Rtds => Ok(SchedParams::Rtds(Rtds {
            period: Duration::from_micros(number("period")),
            budget: Duration::from_micros(number("budget")),
        })),
        Scheduler::Sedf => Err(no_sedf()),
    }
}

/// The scheduler that has this name in libxl.
pub(super) fn scheduler(name: &str) -> Result<Scheduler, Error> {
    name.parse().map_err(|_| Error::Unsupported(format!("The scheduler {name:?} is not supported")))
}

fn no_sedf() -> Error {
    Error::Unsupported("Xen has no SEDF scheduler any more".to_owned())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_read_back() {
        for params in [
            SchedParams::Credit { weight: 256, cap: 50 },
            SchedParams::Credit2 { weight: 777, cap: 0 },
            SchedParams::Rtds(Rtds {
                period: Duration::from_millis(10),
                budget: Duration::from_micros(4_500),
            }),
        ] {
            assert_eq!(from_json(&to_json(params).unwrap()).unwrap(), params);
        }
    }
}
