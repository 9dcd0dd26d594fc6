//! The strategy "docker" through the daemon: by name, by label, and names that are no container's.

use super::{Dockerd, RUNS};
use pm_tests::commands::{Commands as _, raise, status, until_ended};
use serde_json::{Value, json};

#[test]
fn a_running_container_is_restarted_and_others_are_started() {
    let Some(mut docker) = Dockerd::shared() else { return };
    docker.run("pmt-runs", RUNS, json!({}));
    docker.create("pmt-created", RUNS, json!({}));
    docker.run("pmt-ended", "test -e /tmp/ran || { touch /tmp/ran; exit 7; }; exec sleep 1000000", json!({}));
    docker.run("pmt-paused", RUNS, json!({}));
    docker.api("POST", "/containers/pmt-paused/pause", None);
    docker.run("pmt-bystander", RUNS, json!({}));
    docker.until_state("pmt-ended", "over", |state| state["Status"] == "exited");
    let names = ["pmt-runs", "pmt-ended", "pmt-paused", "pmt-bystander"];
    let [runs, ended, paused, bystander] = names.map(|name| docker.started_at(name));

    let mut sandbox = docker.sandbox(
        "health_check = docker\n[process.runs]\nsystem_name = pmt-runs\n[process.created]\ncontainer = pmt-created\n\
         [process.ended]\ncontainer = pmt-ended\n[process.paused]\ncontainer = pmt-paused\n",
    );
    sandbox.start();
    raise(&sandbox, &["runs", "created", "ended", "paused"]);
    for name in ["runs", "created", "ended", "paused"] {
        let notes = sandbox.until_cleared(name);
        assert!(notes.contains(" - Restarted at "), "{notes}");
        let detail = until_ended(&sandbox, name, "restarted");
        let words = format!("container \"pmt-{name}\" (");
        assert!(
            detail.contains(&words) && detail.contains("; the check: running (the container has no"),
            "{detail}"
        );
        assert_eq!(docker.state(&format!("pmt-{name}"))["Status"], "running");
    }
    assert_ne!(docker.started_at("pmt-runs"), runs);
    assert_ne!(docker.started_at("pmt-ended"), ended);
    assert_ne!(docker.started_at("pmt-paused"), paused);
    assert_eq!(docker.started_at("pmt-bystander"), bystander, "not touched");
    let log = sandbox.log();
    assert!(log.contains("Service restart command executed for: pmt-runs (container"), "{log}");
    assert!(log.contains("Service start command executed for: created (container"), "{log}");
}

#[test]
fn what_cannot_be_started_is_told_in_the_daemons_words() {
    let Some(mut docker) = Dockerd::shared() else { return };
    docker.create("pmt-no-program", "", json!({"Cmd": ["/nowhere/program"]}));
    docker.run("pmt-exits", "exit 3", json!({}));
    let mut sandbox = docker.sandbox(
        "health_check = docker\nhealth_check_timeout = 1\n[process.missing]\ncontainer = pmt-missing\n\
         [process.no-program]\ncontainer = pmt-no-program\n[process.exits]\ncontainer = pmt-exits\n",
    );
    sandbox.start();
    raise(&sandbox, &["missing", "no-program", "exits"]);
    for (name, part) in [
        ("missing", "no container \"pmt-missing\""),
        ("no-program", "/nowhere/program"),
        ("exits", "not healthy: exited with code 3"),
    ] {
        let detail = until_ended(&sandbox, name, "failed");
        assert!(detail.contains(part), "{name}: {detail}");
        let breaker = &status(&sandbox, name)["breaker"];
        assert_eq!((&breaker["state"], &breaker["failures"]), (&"open".into(), &1.into()), "{name}");
    }
}

#[test]
fn a_label_means_all_that_carry_it() {
    let Some(mut docker) = Dockerd::shared() else { return };
    let label = |value: &str| json!({"Labels": {"pmt.label": value}});
    docker.run("pmt-label-a", RUNS, label("one"));
    docker.create("pmt-label-b", RUNS, label("one"));
    docker.run("pmt-label-c", RUNS, label("other"));
    let [first, other] = ["pmt-label-a", "pmt-label-c"].map(|name| docker.started_at(name));
    let mut sandbox = docker.sandbox(
        "health_check = docker\n[process.group]\nlabel = pmt.label=one\n\
         [process.nobody]\nlabel = pmt.label=nobody\n[process.many]\nlabel = pmt.label\nlabel_limit = 2\n",
    );
    sandbox.start();
    raise(&sandbox, &["many"]);
    let detail = until_ended(&sandbox, "many", "failed");
    assert!(
        detail.contains("3 containers have the label \"pmt.label\", more than label_limit = 2"),
        "{detail}"
    );
    assert_eq!(docker.started_at("pmt-label-a"), first);
    raise(&sandbox, &["group", "nobody"]);
    sandbox.until_cleared("group");
    let detail = until_ended(&sandbox, "group", "restarted");
    assert!(detail.contains("2 containers with label \"pmt.label=one\""), "{detail}");
    assert!(detail.contains("all 2 containers are healthy"), "{detail}");
    assert_ne!(docker.started_at("pmt-label-a"), first);
    assert_eq!(docker.state("pmt-label-b")["Status"], "running");
    assert_eq!(docker.started_at("pmt-label-c"), other);
    let detail = until_ended(&sandbox, "nobody", "failed");
    assert!(detail.contains("no container has the label \"pmt.label=nobody\""), "{detail}");
}

#[test]
fn a_container_that_was_made_anew_is_found_by_its_name() {
    let Some(mut docker) = Dockerd::shared() else { return };
    let old = docker.run("pmt-anew", RUNS, json!({}));
    let mut sandbox = docker.sandbox("health_check = docker\n[process.pmt-anew]\n");
    sandbox.start();
    raise(&sandbox, &["pmt-anew"]);
    sandbox.until_cleared("pmt-anew");
    docker.remove("pmt-anew");
    let new = docker.create("pmt-anew", RUNS, json!({}));
    assert_ne!(new, old);
    raise(&sandbox, &["pmt-anew"]);
    sandbox.until_cleared("pmt-anew");
    let detail = until_ended(&sandbox, "pmt-anew", "restarted");
    assert!(detail.contains(&new[..12]), "{detail}");
}

#[test]
fn hostile_names_restart_nothing() {
    let Some(mut docker) = Dockerd::shared() else { return };
    let id = docker.run("pmt-hostile", RUNS, json!({}));
    let before = docker.started_at("pmt-hostile");
    let mut sandbox = docker.sandbox("");
    sandbox.start();
    let names = [
        "*",
        "pmt-*",
        "pmt-hostil",
        "../pmt-hostile",
        "x/../pmt-hostile",
        "pmt-hostile/restart?t=0",
        "pmt-hostile%2frestart",
        "pmt-hostile\r\nX: y",
        "/pmt-hostile",
        "json?all=1",
        "$(docker ps -q)",
        &id[..11],
    ];
    for verb in ["add", "raise"] {
        let done = pm_tests::sandbox::answer(sandbox.command(&["alarm", verb]).arg("--").args(names));
        assert_eq!(done.code, 0, "{done:?}");
    }
    for name in names {
        let detail = until_ended(&sandbox, name, "failed");
        assert!(
            detail.contains("no container") || detail.contains("cannot be a container's name"),
            "{name}: {detail}"
        );
    }
    assert_eq!(docker.started_at("pmt-hostile"), before);
    let all = docker.api("GET", "/containers/json?all=1", None);
    assert!(all.as_array().is_some_and(|all| !all.is_empty()), "{all}");
    // The full id is a name.
    sandbox.say(&["alarm", "add", &id]);
    sandbox.say(&["alarm", "raise", &id]);
    sandbox.until_cleared(&id);
    assert_ne!(docker.started_at("pmt-hostile"), before);
    assert_eq!(status(&sandbox, "*")["breaker"]["state"], Value::from("open"));
}
