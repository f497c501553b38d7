//! Bad manners: closed streams, no input, and programs that go on without anybody listening.

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
