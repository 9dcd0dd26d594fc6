//! What `pm doctor` found, read as programs read it.

use crate::sandbox::{Answer, Sandbox};
use serde_json::Value;

/// The findings of one run.
#[derive(Debug)]
pub struct Findings {
    /// The exit code.
    pub code: i32,
    all: Value,
}

impl Findings {
    /// Those of an answer in JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn of(answer: &Answer) -> Self {
        let all = serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
        Self { code: answer.code, all }
    }

    /// Runs `pm doctor`.
    pub fn new(sandbox: &Sandbox) -> Self {
        Self::of(&sandbox.pm(&["doctor", "--format", "json"]))
    }

    /// All findings about a subject.
    pub fn about(&self, subject: &str) -> Vec<&Value> {
        let all = self.all["findings"].as_array().into_iter().flatten();
        all.filter(|finding| finding["subject"] == subject).collect()
    }

    /// The worst verdict about a subject and what was seen, `problem: …`.
    ///
    /// # Panics
    /// When there is no finding about it.
    pub fn worst(&self, subject: &str) -> String {
        let order = ["problem", "warning", "not applicable", "ok"];
        let found = self.about(subject);
        let rank = |finding: &&&Value| order.iter().position(|word| finding["verdict"] == *word);
        let worst = found.iter().min_by_key(rank);
        let worst = worst.unwrap_or_else(|| panic!("nothing about {subject} in {:#}", self.all));
        format!("{}: {}", worst["verdict"].as_str().unwrap_or("?"), worst["saw"].as_str().unwrap_or("?"))
    }

    /// The commands to paste for a subject.
    pub fn commands(&self, subject: &str) -> Vec<&str> {
        self.about(subject).into_iter().filter_map(|finding| finding["command"].as_str()).collect()
    }

    /// The subjects with problems.
    pub fn problems(&self) -> Vec<&str> {
        let all = self.all["findings"].as_array().into_iter().flatten();
        all.filter(|finding| finding["verdict"] == "problem").filter_map(|f| f["subject"].as_str()).collect()
    }
}
