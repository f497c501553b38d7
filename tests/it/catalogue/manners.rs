//! Bad manners: closed streams, no input, programs that go on without anybody listening, and floods of words.

use super::{Scene, Trick};

#[test]
fn who_closes_its_streams_and_works_on_is_waited_for() {
    let Some(scene) = Scene::open(&[]) else { return };
    let script =
        "echo last words; exec >&- 2>&- <&-; sleep 2; printf 'id\\n1\\n' >/data/out/tables/quiet.csv";
    let played = scene.play(&Trick::new(script)).succeeds().says(&["last words"]);
    assert_eq!(played.document()["output"]["tables"][0]["rows_total"], 1);
    assert_eq!(scene.house.export("out.c-main.quiet"), "id\n1\n");
    scene.close();
}

#[test]
fn who_asks_for_input_finds_its_end() {
    let Some(scene) = Scene::open(&[]) else { return };
    let script = "read -r line && echo got $line; cat; tty; echo end of input";
    scene.play(&Trick::new(script)).succeeds().says(&["not a tty", "end of input"]);
    scene.close();
}

#[test]
fn who_says_more_than_anybody_can_take_is_stopped_and_heard_in_order() {
    let Some(scene) = Scene::open(&[("LONGSHORE_LOG_BYTES_MAX", "16m")]) else { return };
    let played = scene
        .play(&Trick::new("exec /hostile/flood"))
        .fails("size_limit", &["the log grew over its limit of 16 MiB", "`log_bytes_max`"]);
    let numbers = played.log().lines().filter_map(|line| line.split_once(' ')?.0.parse::<u64>().ok());
    // What was said last may have been cut off in the middle of its line.
    let heard = numbers.zip(1..).take_while(|(said, number)| said == number).count();
    let lines = played.log().lines().count();
    assert!(heard >= 16_000 && lines - heard <= 1, "{heard} of {lines} lines are in order");
    scene.close();
}
