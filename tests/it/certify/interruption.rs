//! A certification that does not come to its end.

use std::time::{Duration, Instant};

use super::{broken, certify_command, containers, is_clean};
use crate::house::{House, has_engine};
use crate::running::Running;

fn wait_for_a_container(house: &House) {
    let give_up_at = Instant::now() + Duration::from_secs(60);
    while containers(house).is_empty() {
        assert!(Instant::now() < give_up_at, "no container came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = broken("never-ends");
    let mut running = Running::start(&mut certify_command(&house, &spec, &[]));
    running.wait_for("running on the given configuration");
    wait_for_a_container(&house);
    running.signal("INT");
    let ran = running.finish().failed(130);
    assert!(ran.stderr.contains("nothing is left behind"), "{}", ran.stderr);
    is_clean(&house);
}

#[test]
fn a_certification_that_is_killed_is_cleaned_up_after_by_the_next_command() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = broken("never-ends");
    let mut running = Running::start(&mut certify_command(&house, &spec, &[]));
    running.wait_for("running on the given configuration");
    wait_for_a_container(&house);
    running.kill();
    let swept = house.call(&["table", "ls"]).succeeded();
    assert!(swept.stderr.contains("cleaned up after a runner that died"), "{}", swept.stderr);
    is_clean(&house);
}
