//! The one table that a benchmark prints.

use std::fmt;

/// What a figure must keep to.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    /// There is none: the figure only explains another.
    None,
    /// The figure may be this much, in its own unit.
    AtMost(f64),
}

/// One measured figure.
pub(super) struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    goal: Goal,
}

impl Row {
    pub(super) fn new(name: impl Into<String>, value: f64, unit: &'static str, goal: Goal) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            goal,
        }
    }
}

/// The figures of a run in the order they were measured; prints as a Markdown table.
#[derive(Default)]
pub(super) struct Table(Vec<Row>);

impl Table {
    pub(super) fn push(&mut self, row: Row) {
        self.0.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| {:<44} | {:>12} | {:>12} | {:<6} |",
            "what", "measured", "goal", ""
        )?;
        writeln!(
            f,
            "| {:-<44} | {:->11}: | {:->11}: | {:-<6} |",
            "", "", "", ""
        )?;
        for Row {
            name,
            value,
            unit,
            goal,
        } in &self.0
        {
            let measured = format!("{value:.2} {unit}");
            let (goal, verdict) = match goal {
                Goal::None => (String::new(), ""),
                // A figure that is no number has not been measured, and so has not met anything.
                Goal::AtMost(most) if value <= most => (format!("<= {most:.2} {unit}"), "met"),
                Goal::AtMost(most) => (format!("<= {most:.2} {unit}"), "MISSED"),
            };
            writeln!(
                f,
                "| {name:<44} | {measured:>12} | {goal:>12} | {verdict:<6} |"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Goal, Row, Table};

    #[test]
    fn says_of_each_goal_whether_it_was_met() {
        let mut table = Table::default();
        table.push(Row::new("good", 4.0, "µs", Goal::AtMost(4.0)));
        table.push(Row::new("bad", 4.01, "µs", Goal::AtMost(4.0)));
        table.push(Row::new("unmeasured", f64::NAN, "µs", Goal::AtMost(4.0)));
        table.push(Row::new("floor", 1.0, "µs", Goal::None));
        let verdicts: Vec<String> = table
            .to_string()
            .lines()
            .skip(2)
            .map(|line| line.split('|').nth(4).unwrap().trim().to_owned())
            .collect();
        assert_eq!(verdicts, ["met", "MISSED", "MISSED", ""]);
    }
}
