//! A certification that does not come to its end.

use super::{broken, certify_command, containers, is_clean};
use crate::house::{House, has_engine};
use crate::running::Running;
use crate::service::eventually;

/// A certification whose component runs, and never ends.
fn begun(house: &House) -> Running {
    let mut running = Running::start(&mut certify_command(house, &broken("never-ends"), &[]));
    running.wait_for("running on the given configuration");
    eventually("a container comes", || (!containers(house).is_empty()).then_some(()));
    running
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let running = begun(&house);
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
    begun(&house).kill();
    let swept = house.call(&["table", "ls"]).succeeded();
    assert!(swept.stderr.contains("cleaned up after a runner that died"), "{}", swept.stderr);
    is_clean(&house);
}
