//! How many tests passed, read from what the test runners print.

use std::ops::AddAssign;

/// Numbers of tests, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed, or were cut off by the runner.
    pub(crate) failed: u64,
    /// Tests that did not run.
    pub(crate) skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// What one line of `cargo test` adds: only its `test result:` lines count.
pub(crate) fn from_cargo_line(line: &str) -> Tally {
    let mut tally = Tally::default();
    let Some((_, rest)) = line.split_once("test result: ") else {
        return tally;
    };
    for piece in rest.split([';', '.']) {
        let Some((count, what)) = piece.trim().split_once(' ') else {
            continue;
        };
        let Ok(count) = count.parse() else { continue };
        match what {
            "passed" => tally.passed = count,
            "failed" => tally.failed = count,
            "ignored" => tally.skipped = count,
            _ => {}
        }
    }
    tally
}

/// What one line of `node --test` with the `spec` reporter adds: only the summary's lines count.
pub(crate) fn from_node_line(line: &str) -> Tally {
    let mut tally = Tally::default();
    let Some(rest) = line.strip_prefix("ℹ ") else {
        return tally;
    };
    let Some((what, count)) = rest.trim().split_once(' ') else {
        return tally;
    };
    let Ok(count) = count.parse() else {
        return tally;
    };
    match what {
        "pass" => tally.passed = count,
        "fail" | "cancelled" => tally.failed = count,
        "skipped" | "todo" => tally.skipped = count,
        _ => {}
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::{Tally, from_cargo_line, from_node_line};

    #[test]
    fn sums_the_result_lines_of_cargo() {
        let mut sum = Tally::default();
        for line in [
            "running 3 tests",
            "test counts::tests::passed ... ok",
            "test result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; 9 filtered out; finished in 0.00s",
            "test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        ] {
            sum += from_cargo_line(line);
        }
        assert_eq!(
            sum,
            Tally {
                passed: 42,
                failed: 1,
                skipped: 4
            }
        );
    }

    #[test]
    fn sums_the_summary_of_node() {
        let mut sum = Tally::default();
        for line in [
            "✔ pass 100 (1.2ms)",
            "ℹ tests 9",
            "ℹ suites 0",
            "ℹ pass 5",
            "ℹ fail 1",
            "ℹ cancelled 1",
            "ℹ skipped 2",
            "ℹ todo 0",
            "ℹ duration_ms 44.1",
        ] {
            sum += from_node_line(line);
        }
        assert_eq!(
            sum,
            Tally {
                passed: 5,
                failed: 2,
                skipped: 2
            }
        );
    }
}
