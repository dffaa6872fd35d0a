//! Programs that mean harm, judged by the real binary: each is contained, the run goes on, and
//! nothing of it is left.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::eval::{can_judge, data};
use super::folder::Folder;

/// A folder in which programs can be judged.
fn folder() -> Option<Folder> {
    let folder = Folder::new();
    can_judge(&folder).then_some(folder)
}

/// The verdict on a function with this body. A good program beside it must pass.
fn verdict(folder: &Folder, body: &str, more: &str) -> Value {
    folder.write("data", data(&[("hostile", body), ("good", "return 1\n")]));
    let line = "eval --canonical --data data --output results --force --quiet --jobs 2";
    let run = folder.run(&format!("{line} {more}"));
    let warning = if more.contains("unsafe") { "jumpcoder: programs aren't contained" } else { "" };
    assert!(run.code == 0 && run.stderr.starts_with(warning), "{body}: {run:?}");
    assert!(run.stderr.lines().count() == usize::from(!warning.is_empty()), "{body}: {run:?}");
    let [hostile, good]: [Value; 2] = folder.json_lines("results").try_into().unwrap();
    assert_eq!(good["verdict"], "passed", "{body}: {good}");
    hostile
}

/// How many processes of this machine have `text` in their command line?
fn num_processes(text: &str) -> usize {
    let commands = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("cmdline")).ok());
    commands.filter(|command| command.contains(text)).count()
}

#[test]
fn fork_bomb() {
    let Some(folder) = folder() else { return };
    let bomb =
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass";
    let kind = &verdict(&folder, bomb, "--timeout 1")["verdict"];
    assert!(kind == "timeout" || kind == "limit", "{kind}");
}

#[test]
fn more_processes_than_there_may_be() {
    let Some(folder) = folder() else { return };
    let body = "import os, time\nfor idx in range(1000):\n    if os.fork() == 0:\n        \
                time.sleep(100)\nreturn 1";
    let found = verdict(&folder, body, "--memory-mib 8000");
    assert!(found["result"].as_str().unwrap().contains("BlockingIOError"), "{found}");
}

#[test]
fn endless_output() {
    let Some(folder) = folder() else { return };
    for stream in ["stdout", "stderr"] {
        let body = format!("import sys\nwhile True:\n    sys.{stream}.write('x' * 10000)");
        let found = verdict(&folder, &body, "");
        assert_eq!(found["result"], "failed: too much output", "{found}");
    }
}

#[test]
fn a_secret_file() {
    let Some(folder) = folder() else { return };
    folder.write("secret", "s3cret");
    let secret = folder.path("secret").display().to_string();
    for path in
        [&*secret, "/etc/passwd", "/etc/shadow", "/proc/1/environ", "/proc/1/root/etc/passwd"]
    {
        let found = verdict(&folder, &format!("open({path:?}).read()\nreturn 1"), "");
        let result = found["result"].as_str().unwrap();
        let is_refused =
            ["FileNotFoundError", "PermissionError"].iter().any(|e| result.contains(e));
        assert!(is_refused, "{path}: {found}");
    }
}

#[test]
fn the_network() {
    let Some(folder) = folder() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = format!("import socket\nsocket.create_connection(('127.0.0.1', {port}))\nreturn 1");
    let found = verdict(&folder, &body, "");
    assert!(found["result"].as_str().unwrap().contains("PermissionError"), "{found}");
    assert!(listener.accept().is_err(), "nobody has come through");
}

#[test]
fn killing_the_parent() {
    let Some(folder) = folder() else { return };
    for target in ["os.getppid()", "1", "-1"] {
        // Who kills all of its own has killed nobody else.
        let body = format!(
            "import os\ntry:\n    os.kill({target}, 9)\nexcept OSError:\n    pass\nreturn 1"
        );
        assert_eq!(verdict(&folder, &body, "")["verdict"], "passed", "{target}");
    }
}

#[test]
fn filling_the_disk() {
    let Some(folder) = folder() else { return };
    let body = "import os\nnum_bytes = 0\ntry:\n    for idx in range(10000):\n        \
                with open(f'file{idx}', 'wb') as file:\n            \
                num_bytes += file.write(b'x' * 2 ** 20)\nexcept OSError:\n    pass\n\
                return 1 if num_bytes < 2 ** 28 + 1 else num_bytes";
    assert_eq!(verdict(&folder, body, "")["verdict"], "passed");
    for place in ["/", "/usr/", "/dev/shm/", "/var/tmp/", "/work/"] {
        let found = verdict(&folder, &format!("open('{place}x', 'w').write('x')\nreturn 1"), "");
        assert_eq!(found["verdict"], "exception", "{place}: {found}");
    }
}

#[test]
fn too_much_memory() {
    let Some(folder) = folder() else { return };
    let body = "texts = []\nwhile True:\n    texts.append('x' * 2 ** 20)";
    let found = verdict(&folder, body, "--memory-mib 100");
    assert_eq!(found["result"], "failed: too much memory", "{found}");
}

#[test]
fn sleeping() {
    let Some(folder) = folder() else { return };
    let begin = Instant::now();
    let found = verdict(&folder, "import time\ntime.sleep(1000)\nreturn 1", "--timeout 1");
    assert_eq!(found["result"], "timed out", "{found}");
    assert!(begin.elapsed() < Duration::from_mins(1));
}

#[test]
fn closing_outputs() {
    let Some(folder) = folder() else { return };
    let close = "import os, time\nos.close(1)\nos.close(2)\n";
    let found = verdict(&folder, &format!("{close}return 1"), "");
    assert_eq!(found["passed"], false, "its proof can't be printed: {found}");
    let found = verdict(&folder, &format!("{close}time.sleep(1000)"), "--timeout 1");
    assert_eq!(found["verdict"], "timeout", "{found}");
}

#[test]
fn writing_to_the_results() {
    let Some(folder) = folder() else { return };
    let results = folder.path("results").display().to_string();
    let body = format!(
        "import os\nfor path in [{results:?}] + [f'/proc/1/fd/{{idx}}' for idx in range(20)]:\n    \
         try:\n        open(path, 'a').write('forged\\n')\n    except OSError:\n        pass\n\
         for file in range(3, 100):\n    try:\n        os.write(file, b'forged')\n    \
         except OSError:\n        pass\nreturn 1"
    );
    verdict(&folder, &body, "");
    assert!(!folder.read("results").lines().any(|line| line.starts_with("forged")));
    assert_eq!(folder.json_lines("results").len(), 2);
}

#[test]
fn leaving_early_with_success() {
    let Some(folder) = folder() else { return };
    for exit in ["import sys; sys.exit(0)", "import os; os._exit(0)", "exit()"] {
        let found = verdict(&folder, exit, "");
        assert_eq!(found["result"], "failed: it ended before the last test", "{exit}: {found}");
    }
}

#[test]
fn getting_out_of_the_jail() {
    let Some(folder) = folder() else { return };
    // unshare(CLONE_NEWUSER), mount, ptrace(PTRACE_ATTACH, 1), chroot: each must fail with EPERM.
    let calls = [
        "unshare(0x10000000)",
        "mount(b'none', b'/tmp', b'tmpfs', 0, None)",
        "ptrace(16, 1, 0, 0)",
        "chroot(b'/tmp')",
    ];
    for call in calls {
        let body = format!(
            "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n\
             return 1 if libc.{call} == -1 and ctypes.get_errno() == 1 else 'it got out'"
        );
        let found = verdict(&folder, &body, "");
        assert_eq!(found["verdict"], "passed", "{call}: {found}");
    }
}

/// A grandchild in a session of its own, whose parents have gone.
fn daemon(unique: &str) -> String {
    format!(
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        \
         os.execv('/bin/sleep', ['sleep', '{unique}'])\n    os._exit(0)\ntime.sleep(0.3)\nreturn 1"
    )
}

#[test]
fn what_a_program_leaves_behind_is_ended() {
    let Some(folder) = folder() else { return };
    let unique = format!("71.{}", std::process::id());
    assert_eq!(verdict(&folder, &daemon(&unique), "")["verdict"], "passed");
    assert_eq!(num_processes(&unique), 0);
}

#[test]
fn limits_hold_without_a_sandbox() {
    let Some(folder) = folder() else { return };
    // Runs that were killed earlier may have left some.
    let before = left_behind();
    let unsafely = |body: &str| verdict(&folder, body, "--unsafe-no-sandbox --timeout 1");
    let unique = format!("72.{}", std::process::id());
    assert_eq!(unsafely(&daemon(&unique))["verdict"], "passed");
    assert_eq!(num_processes(&unique), 0);
    assert_eq!(unsafely("while True: pass")["verdict"], "timeout");
    assert_eq!(unsafely("import time\ntime.sleep(1000)")["verdict"], "timeout");
    assert_eq!(unsafely("while True: print('x' * 1000)")["verdict"], "limit");
    let where_am_i = "import os\nopen('x', 'w').write('x')\nreturn os.getcwd()";
    let found = unsafely(where_am_i);
    assert_eq!(found["verdict"], "assertion", "{found}");
    let left: BTreeSet<String> = left_behind().difference(&before).cloned().collect();
    assert_eq!(left, BTreeSet::new());
}

/// The temporary folders of runs that have ended.
fn left_behind() -> BTreeSet<String> {
    let found = fs::read_dir(std::env::temp_dir()).unwrap().filter_map(Result::ok);
    let names = found.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_dead = |name: &String| {
        let id = name.strip_prefix("jumpcoder-eval-").and_then(|rest| rest.split('-').next());
        id.is_some_and(|id| !fs::exists(format!("/proc/{id}")).unwrap_or(true))
    };
    names.filter(is_dead).collect()
}

#[test]
fn a_machine_without_namespaces_is_refused() {
    let Some(folder) = folder() else { return };
    // In a user namespace its root may say that there are to be no more of them.
    folder.write("data", data(&[("a", "return 1\n")]));
    let limit = "unshare --user --map-root-user sh -c \
                 'echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"'";
    let command =
        format!("{limit} {} eval --canonical --data data --quiet", env!("CARGO_BIN_EXE_jumpcoder"));
    let output = std::process::Command::new("sh")
        .args(["-c", &command])
        .current_dir(folder.path(""))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(2) || !stderr.starts_with("jumpcoder: ") {
        println!("skipped: user namespaces can't be forbidden here: {stderr}");
        return;
    }
    for part in ["can't be contained on this machine (user namespaces", "--unsafe-no-sandbox"] {
        assert!(stderr.contains(part), "{stderr}");
    }
}
