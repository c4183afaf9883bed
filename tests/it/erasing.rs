//! What was erased goes from every file that can be written, and a client may ask for it
//! in every way there is.

use std::path::{Path, PathBuf};

use chancery::checkpoint::AtOnce;
use chancery_tests::rig::code;
use chancery_tests::{Rig, Server, Uuid, block_on, chancery, new_id};
use serde_json::{Value as Json, json};

fn holding(directory: &Path, marker: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.append(&mut holding(&path, marker));
            continue;
        }
        // A file may be replaced while it is looked at.
        let bytes = std::fs::read(&path).unwrap_or_default();
        if bytes.windows(marker.len()).any(|part| part == marker.as_bytes()) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_segment_that_cannot_be_read_does_not_keep_others_from_being_erased_in() {
    let rig = Rig::with(|settings| settings.tended = false);
    let app = rig.app_directory();
    block_on(async {
        rig.deploy("probe", "probe").await;
        let mut ids = Vec::new();
        for marker in ["MARKER-1", "MARKER-2", "MARKER-3"] {
            let id = new_id();
            let event = json!({ "type": "thing.said", "data": { "text": marker } });
            assert_eq!(code(&rig.command_with(id, "emit", event).await), "succeeded");
            rig.app.lane().seal().expect("sealed");
            ids.push(id);
        }
        for id in ids {
            assert_eq!(code(&rig.app.erase(id).await.expect("erased")), "succeeded");
        }
    });
    let segments = holding(&app, "MARKER-1");
    let [segment] = segments.as_slice() else { panic!("{segments:?}") };
    let whole = std::fs::read(segment).expect("readable");
    std::fs::write(segment, &whole[..whole.len() / 2]).expect("written");
    let mut keeper = rig.app.keeper();
    keeper.tend(&mut AtOnce).expect_err("one of them cannot be read");
    for marker in ["MARKER-2", "MARKER-3"] {
        assert_eq!(holding(&app, marker), Vec::<PathBuf>::new(), "{marker}");
    }
    assert!(keeper.is_erasing(), "one is left");
    std::fs::write(segment, whole).expect("written");
    keeper.tend(&mut AtOnce).expect("it can be read again");
    assert_eq!(holding(&app, "MARKER-1"), Vec::<PathBuf>::new());
    assert!(!keeper.is_erasing());
}

/// A client that cannot say what it wants erased but by the id of its command.
fn said(server: &Server, marker: &str) -> Uuid {
    let app = server.app();
    let id = new_id();
    let input = json!({ "account": marker, "owner": marker, "balance": 1 });
    assert_eq!(app.command_with(id, "open-account", &input, &[]).status, 200);
    id
}

#[test]
fn erasing_over_http_and_from_the_command_line() {
    let server = Server::start();
    let app = server.app();
    app.deploy("bank");
    let by_http = said(&server, "MARKER-4");
    let by_line = said(&server, "MARKER-5");
    let path = format!("/commands/{by_http}");
    let delete = |path: &str| app.send("DELETE", path, &[], &[]);
    let erased = delete(&path);
    assert_eq!(erased.status, 200);
    let erasing = erased.expect(200);
    assert_eq!(delete(&path).expect(200)["sequence"], erasing["sequence"], "the same again");
    let url = format!("http://{}", server.address());
    let output = chancery(&["erase", &by_line.to_string(), "--server", &url, "--json"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let told: Json = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["status"], json!("succeeded"), "{told}");
    for id in [by_http, by_line] {
        let receipt = app.get(&format!("/commands/{id}")).expect(200);
        assert_eq!(receipt["erased"], json!(true), "{receipt}");
        assert!(!receipt.to_string().contains("MARKER"), "{receipt}");
    }
    let unknown = delete(&format!("/commands/{}", new_id()));
    assert_eq!(unknown.status, 404);
    let output = chancery(&["erase", &new_id().to_string(), "--server", &url]);
    assert_eq!(output.status.code(), Some(3), "the server refused");
}
