//! What is deleted when, and what is never recorded over: what a reload of the configuration may
//! replace.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Config;
use crate::retention::Rules;

/// What is deleted when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// For what was made by recorders that have no rules of their own, together.
    pub retention: Rules,
    /// For what one recorder made, by its name; these rules see nothing else.
    pub by_recorder: BTreeMap<String, Rules>,
    /// Bytes that recording leaves free on a file system; `None` for the smaller of 1 GiB and 1 %
    /// of it.
    pub min_free: Option<u64>,
    /// How long deleted recordings stay in the bin; zero deletes them at once.
    pub bin_grace: Duration,
}

impl Policy {
    /// What a configuration says.
    pub(crate) fn of(config: &Config) -> Self {
        let by_recorder = BTreeMap::new();
        let &Config { retention, min_free, bin_grace, .. } = config;
        Self { retention, by_recorder, min_free, bin_grace }
    }

    /// The rules for what a recorder made.
    pub fn rules(&self, recorder: &str) -> &Rules {
        self.by_recorder.get(recorder).unwrap_or(&self.retention)
    }

    /// Whether anything can ever go.
    pub fn is_some(&self) -> bool {
        self.retention.is_some() || self.by_recorder.values().any(Rules::is_some)
    }
}
