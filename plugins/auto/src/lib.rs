//! The strategy "auto": lets `service` do it, and `process` when systemd does not know the name.
//!
//! It does nothing by itself. The host follows the delegation, so every rule of the two strategies (settings,
//! identity, errors) holds unchanged.

#![forbid(unsafe_code)]

use pm_plugin_api::{Evidence, Fallback, Outcome, Result, Strategy, Target};

pm_plugin_api::settings! {
    /// Settings of the strategy "auto".
    pub struct AutoSettings {
        /// When `process` is tried after `service`: `not-found` (no such unit, or no systemd), or `always` (also
        /// after a failed restart).
        #[allowed = "not-found|always"]
        pub auto_fallback: String = "not-found",
    }
}

/// Who does it, first choice first.
const LINKS: [&str; 2] = ["service", "process"];

struct Auto {
    fallback: Fallback,
}

impl Strategy for Auto {
    type Settings = AutoSettings;

    fn new(settings: AutoSettings) -> Result<Self> {
        let fallback = match settings.auto_fallback.as_str() {
            "not-found" => Fallback::NotFound,
            "always" => Fallback::Always,
            other => {
                return Err(pm_plugin_api::Error::config(format!(
                    "auto_fallback: {other:?} is neither not-found nor always"
                )));
            }
        };
        Ok(Self { fallback })
    }

    fn restart(&self, _: &Target) -> Result<Outcome> {
        Ok(Outcome::delegate(LINKS, self.fallback))
    }

    fn evidence(&self, _: &Target) -> Result<Evidence> {
        Ok(Evidence::of(LINKS))
    }
}

pm_plugin_api::export! { strategy "auto" => Auto }

#[cfg(test)]
mod tests {
    use super::*;
    use pm_plugin_api::testing;

    #[test]
    fn delegates_to_service_then_process() {
        let auto = testing::strategy::<Auto>(&[("auto_fallback", "always")]).unwrap();
        let expected = Outcome::delegate(["service", "process"], Fallback::Always);
        assert_eq!(auto.restart(&Target::named("web")).unwrap(), expected);
        assert_eq!(auto.evidence(&Target::named("web")).unwrap().ask, ["service", "process"]);
    }

    #[test]
    fn an_unknown_fallback_is_refused_with_the_choices() {
        let error = testing::strategy::<Auto>(&[("auto_fallback", "maybe")]).err().unwrap();
        assert_eq!(error.message, "auto_fallback: \"maybe\" is none of: not-found, always");
    }
}
