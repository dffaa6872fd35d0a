//! The doctor: whatever this machine has, the doctor says it, and what is missing, and where that
//! was looked for.

use serde_json::Value;

use crate::folder::Folder;

fn findings(folder: &Folder, line: &str) -> Value {
    let run = folder.run(&format!("{line} --json"));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn the_doctor_says_what_is_there_and_what_runs_where() {
    let folder = Folder::new();
    let run = folder.run("doctor");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let findings = findings(&folder, "doctor");
    let auto = findings["auto"].as_str().unwrap();
    assert!(run.stdout.contains(&format!("--device auto takes {auto}")), "{}", run.stdout);
    assert_eq!(auto == "cpu", findings["why"].is_string(), "a reason if it's no GPU: {findings}");
    assert!(findings["cpu"]["num_cores"].as_u64().unwrap() >= 1, "{findings}");
    for library in ["driver", "nvrtc"] {
        let found = &findings[library];
        let value = found["path"].as_str().or(found["error"].as_str()).unwrap();
        assert!(run.stdout.contains(value), "{value} in {}", run.stdout);
        if let Some(error) = found["error"].as_str() {
            assert!(auto == "cpu", "there is no GPU without: {error}");
        }
    }
}

#[test]
fn the_doctor_looks_where_it_is_told_to() {
    let folder = Folder::new();
    folder.write("libnvrtc.so.13", "no library");
    for (named, text) in [("libnvrtc.so.13", "refused"), ("nowhere", "looked in nowhere;")] {
        let findings = findings(&folder, &format!("doctor --nvrtc {named} --kernel-cache kept"));
        assert!(findings["nvrtc"]["error"].as_str().unwrap().contains(text), "{findings}");
        assert_eq!(findings["kernel_cache"], "kept");
        assert_eq!(findings["auto"], "cpu");
    }
}
