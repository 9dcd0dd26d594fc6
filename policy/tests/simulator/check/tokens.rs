//! A budget worked out the plain way: a number of tokens that grows with time.

use crate::world::Ms;
use pm_policy::bucket::Budget;

/// Tokens that are missing to a full budget, as of a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tokens {
    missing: f64,
    at: Ms,
}

impl Tokens {
    fn refilled(self, budget: Budget, t: Ms) -> f64 {
        let grown = (t - self.at) as f64 / budget.refill.as_millis() as f64;
        (self.missing - grown).max(0.0)
    }

    /// Takes one; whether there was one.
    pub(crate) fn take(&mut self, budget: Budget, t: Ms) -> bool {
        let (missing, size) = (self.refilled(budget, t), f64::from(budget.size));
        *self = Self { missing: (missing + 1.0).min(size), at: t };
        missing <= size - 1.0 + 1e-6
    }

    pub(crate) fn give_back(&mut self, budget: Budget, t: Ms) {
        *self = Self { missing: (self.refilled(budget, t) - 1.0).max(0.0), at: t };
    }
}
