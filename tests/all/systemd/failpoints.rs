//! pm dies at the points at which only the `InvocationID` of a unit tells whether it was restarted.

use super::Machine;
use pm_host::failpoint::Point;
use pm_tests::commands::{raise, status};

/// Before, between and behind the steps of a restart that the strategy takes part in.
const POINTS: [Point; 8] = [
    Point::Claimed,
    Point::IdentityRead,
    Point::ActingWritten,
    Point::ActingNoted,
    Point::RestartReturned,
    Point::VerifyingNoted,
    Point::Verified,
    Point::OutcomeWritten,
];

#[test]
fn killed_at_every_point_pm_restarts_a_unit_exactly_once() {
    let Some(mut machine) = Machine::shared() else { return };
    for point in POINTS {
        let unit = format!("pmt-dies-{}", point.word());
        let service = format!("{unit}.service");
        let mut sandbox = machine.sandbox(&format!(
            "[process.web]\nrestart_strategy = service\nunit = {unit}\nhealth_check = service\n"
        ));
        machine.load(&sandbox, &[(&service, "[Service]\nExecStart=/bin/sleep infinity\n")]);
        machine.ok(&["systemctl", "start", &unit]);
        let (before, starts) = (machine.invocation(&unit), machine.starts(&service));
        raise(&sandbox, &["web"]);
        sandbox.dies_at(point);
        sandbox.start();
        let notes = sandbox.until_cleared("web");
        assert_eq!(notes.matches("Restarted at").count(), 1, "{point:?}: {notes}");
        assert_ne!(machine.invocation(&unit), before, "{point:?}\n{}", sandbox.log());
        assert_eq!(machine.starts(&service), starts + 1, "{point:?}: restarted once\n{}", sandbox.log());
        assert_eq!(status(&sandbox, "web")["last_attempt"]["end"], "restarted", "{point:?}");
        sandbox.kill();
    }
}
