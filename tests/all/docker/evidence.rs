//! What is kept of a container before it is restarted.

use super::{Dockerd, RUNS};
use pm_tests::commands::{raise, until_ended};
use pm_tests::evidence::{kept, section};
use serde_json::json;

#[test]
fn a_container_is_kept_with_its_state_and_its_last_lines() {
    let Some(mut docker) = Dockerd::shared() else { return };
    let id = docker.run("pmt-kept", "echo out of paper; exit 7", json!({"Env": ["TOKEN=hunter2"]}));
    docker.until_state("pmt-kept", "over", |state| state["Status"] == "exited");
    let mut sandbox = docker.sandbox(
        "[process.kept]\ncontainer = pmt-kept\n[process.missing]\ncontainer = pmt-no-such-container\n",
    );
    sandbox.start();
    raise(&sandbox, &["kept", "missing"]);
    sandbox.until_cleared("kept");
    let text = kept(&sandbox, "kept").unwrap();
    for fact in [
        format!("strategy: docker\ncontainer: \"pmt-kept\" ({})\n", &id[..12]),
        "\nstate: exited\n".to_owned(),
        "\nexit code: 7\n".to_owned(),
        "\nkilled for lack of memory: no\n".to_owned(),
        "\nstarted at: 20".to_owned(),
        "\nrestarts by the daemon: 0\n".to_owned(),
    ] {
        assert!(text.contains(&fact), "{fact:?} in {text}");
    }
    let log = section(&text, "log");
    assert!(log.len() == 1 && log[0].ends_with("Z out of paper"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    until_ended(&sandbox, "missing", "failed");
    let text = kept(&sandbox, "missing").unwrap();
    assert!(text.starts_with("docker: not available: no container \"pmt-no-such-container\""), "{text}");
}

#[test]
fn the_pid_of_another_namespace_is_not_looked_up_in_ours() {
    let Some(mut docker) = Dockerd::shared() else { return };
    // The daemon of the tests lives in namespaces of its own.
    docker.run("pmt-elsewhere", RUNS, json!({}));
    let mut sandbox = docker.sandbox("[process.elsewhere]\ncontainer = pmt-elsewhere\n");
    sandbox.start();
    raise(&sandbox, &["elsewhere"]);
    sandbox.until_cleared("elsewhere");
    let text = kept(&sandbox, "elsewhere").unwrap();
    assert!(text.contains("\nstate: running\n"), "{text}");
    assert!(text.contains(" of the daemon's own namespace, which pm does not see\n"), "{text}");
    assert!(section(&text, "processes").is_empty(), "{text}");
}
