//! What a domain or the host uses over the time of a history.

use super::ids::Uuid;

/// Something that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// CPU time, in percent of one CPU.
    Cpu,
    /// Memory, in KiB.
    Memory,
    /// What is read from disks, in bytes a second.
    DiskRead,
    /// What is written to disks, in bytes a second.
    DiskWritten,
    /// What network interfaces receive, in bytes a second.
    NetReceived,
    /// What network interfaces send, in bytes a second.
    NetSent,
}

impl Resource {
    /// All resources, in the order of every table.
    pub const ALL: [Self; 6] = [
        Self::Cpu,
        Self::Memory,
        Self::DiskRead,
        Self::DiskWritten,
        Self::NetReceived,
        Self::NetSent,
    ];

    /// The number in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// How much of a resource is used in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    pub mean: f32,
    /// The most at one moment of the step.
    pub max: f32,
}

/// What is used in a step. The default knows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage([Option<Level>; Resource::ALL.len()]);

impl Usage {
    /// The level of a resource; `None` if it is not known.
    pub const fn of(&self, resource: Resource) -> Option<Level> {
        self.0[resource.index()]
    }

    /// The same with the level of a resource.
    #[must_use]
    pub fn with(mut self, resource: Resource, level: Level) -> Self {
        self.0[resource.index()] = Some(level);
        self
    }

    /// Whether no level is known.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// One step in place of several: the mean of their means, and the highest of their maxima. What
    /// none of them knows is not known.
    #[must_use]
    pub fn consolidated(steps: impl IntoIterator<Item = Self>) -> Self {
        let mut sums = Sums::default();
        for step in steps {
            for resource in Resource::ALL {
                if let Some(level) = step.of(resource) {
                    sums.add(resource, level);
                }
            }
        }
        sums.usage()
    }
}

/// The sum of means, the count and the maximum of each resource. No level is below 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums([(f32, f32, f32); Resource::ALL.len()]);

impl Sums {
    /// Adds a level.
    pub fn add(&mut self, resource: Resource, level: Level) {
        let (sum, count, max) = &mut self.0[resource.index()];
        *sum += level.mean;
        *count += 1.0;
        *max = max.max(level.max);
    }

    /// The mean and the maximum of all levels.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for resource in Resource::ALL {
            let (sum, count, max) = self.0[resource.index()];
            if count > 0.0 {
                // A sum of equal parts is rounded.
                usage = usage.with(resource, Level { mean: (sum / count).min(max), max });
            }
        }
        usage
    }
}

/// The time that a history shows, in steps of a fixed length. Each step belongs to one step of the
/// next longer span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// 60 steps of a minute.
    Hour,
    /// 96 steps of a quarter of an hour.
    Day,
    /// 84 steps of two hours.
    Week,
    /// 124 steps of six hours: 31 days.
    Month,
}

impl Span {
    /// All spans, the shortest first.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The span with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.name() == name)
    }

    /// `hour`, `day`, `week` or `month`
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The length of a step in minutes.
    pub const fn step_minutes(self) -> u32 {
        match self {
            Self::Hour => 1,
            Self::Day => 15,
            Self::Week => 120,
            Self::Month => 360,
        }
    }

    /// The number of steps.
    pub const fn steps(self) -> u32 {
        match self {
            Self::Hour => 60,
            Self::Day => 96,
            Self::Week => 84,
            Self::Month => 124,
        }
    }

    /// The next shorter span, of whose steps those of this one consist.
    pub const fn shorter(self) -> Option<Self> {
        match self {
            Self::Hour => None,
            Self::Day => Some(Self::Hour),
            Self::Week => Some(Self::Day),
            Self::Month => Some(Self::Week),
        }
    }
}

/// Whose use a history has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageOf {
    Host,
    Domain(Uuid),
}

impl UsageOf {
    /// The domain; `None` for the host.
    pub const fn domain(&self) -> Option<&Uuid> {
        match self {
            Self::Host => None,
            Self::Domain(uuid) => Some(uuid),
        }
    }
}

/// What was used over a span.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageHistory {
    pub span: Span,
    /// The number of the first step: steps are counted from 1970 on.
    pub first: u32,
    /// [`Span::steps`] steps, the oldest first. One of which nothing is known is empty.
    pub steps: Vec<Usage>,
}

impl UsageHistory {
    /// Each step with its beginning in seconds since 1970.
    pub fn timed(&self) -> impl Iterator<Item = (i64, &Usage)> {
        let length = i64::from(self.span.step_minutes()) * 60;
        let beginning = move |number: u32| i64::from(number) * length;
        (self.first..).zip(&self.steps).map(move |(number, usage)| (beginning(number), usage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_consolidated_by_means_and_maxima() {
        let step = |mean, max| Usage::default().with(Resource::Cpu, Level { mean, max });
        let memory = Usage::default().with(Resource::Memory, Level { mean: 7.0, max: 7.0 });
        let whole = Usage::consolidated([step(10.0, 90.0), step(20.0, 30.0), memory]);
        assert_eq!(whole.of(Resource::Cpu), Some(Level { mean: 15.0, max: 90.0 }));
        assert_eq!(whole.of(Resource::Memory), Some(Level { mean: 7.0, max: 7.0 }));
        assert_eq!(whole.of(Resource::NetSent), None);
        assert!(Usage::consolidated([]).is_empty());
    }

    #[test]
    fn a_step_belongs_to_one_step_of_the_next_span() {
        for span in Span::ALL {
            assert_eq!(Span::from_name(span.name()), Some(span));
            let Some(shorter) = span.shorter() else { continue };
            assert_eq!(span.step_minutes() % shorter.step_minutes(), 0, "{span:?}");
            // What a step consists of is still there when it is over.
            assert!(shorter.steps() * shorter.step_minutes() > span.step_minutes(), "{span:?}");
        }
        assert_eq!(Span::from_name("year"), None);
    }
}
