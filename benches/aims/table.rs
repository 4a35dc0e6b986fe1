//! The table: what was measured, beside what it should be.

/// A bound of a figure.
#[derive(Clone, Copy)]
pub(crate) enum Aim {
    AtLeast(f64),
    AtMost(f64),
}

struct Row {
    what: String,
    figure: f64,
    unit: &'static str,
    aim: Aim,
}

/// Rows in the order in which they were measured.
#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Aim {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }
}

impl Table {
    /// Adds a ratio of two figures of one run.
    pub(crate) fn ratio(&mut self, what: impl Into<String>, figure: f64, aim: Aim) {
        self.add(what, figure, "", aim);
    }

    /// Adds a figure with its unit. It is printed at once, for whoever waits.
    pub(crate) fn add(
        &mut self,
        what: impl Into<String>,
        figure: f64,
        unit: &'static str,
        aim: Aim,
    ) {
        let row = Row { what: what.into(), figure, unit, aim };
        println!("{}", row.line());
        self.0.push(row);
    }

    /// Prints the whole table, and the rows whose aim is missed.
    pub(crate) fn print(&self) {
        println!("\n| what | measured | aim |\n|---|---|---|");
        for row in &self.0 {
            println!("{}", row.line());
        }
        let missed: Vec<_> =
            self.0.iter().filter(|row| !row.aim.is_met(row.figure)).map(|row| &*row.what).collect();
        println!("\n{} of {} aims are missed: {}", missed.len(), self.0.len(), missed.join("; "));
    }
}

impl Row {
    fn line(&self) -> String {
        let (sign, bound) = match self.aim {
            Aim::AtLeast(least) => ("≥", least),
            Aim::AtMost(most) => ("≤", most),
        };
        let Self { what, figure, unit, .. } = self;
        let mark = if self.aim.is_met(*figure) { "" } else { " **missed**" };
        format!("| {what} | {figure:.2}{unit}{mark} | {sign} {bound}{unit} |")
    }
}
