//! Images that ask for volumes, which lie outside of the container's own files.

use serde_json::{Value, json};

use super::{Scene, Trick};
use crate::house::ensure_image;

fn with_volumes(script: &str) -> Trick<'_> {
    let image: Value = json!({ "uri": "longshore-test/volumes", "tag": "1" });
    Trick::new(script).spec("image", image).spec("user", "image").limit("disk", "20m")
}

#[test]
fn a_volume_cannot_be_made_to_fill_the_disk() {
    let Some(scene) = Scene::open(&[]) else { return };
    ensure_image("volumes");
    let fill = "for i in 1 2 3; do head -c 15m /dev/zero >/volume/$i; done; sleep 60";
    let expected = ["the component's own file system grew over its limit", "disk limit 20 MiB"];
    scene.play(&with_volumes(fill)).fails("size_limit", &expected);
    scene.play(&with_volumes(fill).spec("read_only_root", true)).fails("size_limit", &expected);
    scene.close();
}

#[test]
fn a_volume_in_the_data_folder_takes_no_output_away() {
    let Some(scene) = Scene::open(&[]) else { return };
    ensure_image("volumes");
    let played = scene.play(&with_volumes("echo x >out/files/a.txt")).succeeds();
    assert_eq!(played.document()["output"]["files"].as_array().map(Vec::len), Some(1));
    scene.close();
}
