//! A program's output is whole although Scalene's timer interrupts its writes.

use serde_json::json;

use crate::support::client::Session;
use crate::support::place::Place;
use crate::support::pythons;

/// Single writes that are larger than a pipe, to both streams, without Python's buffer.
#[tokio::test]
async fn large_writes_arrive_whole_without_pythons_buffer() {
    let place = Place::new();
    let code = "import sys\nline = 'x' * 99 + '\\n'\nfor i in range(300):\n    sys.stdout.write(line * 1000)\n    \
                sys.stderr.buffer.write(line.encode() * 1000)\nprint(sys.stdout.buffer.name, sys.stdout.mode, end='')\n";
    place.write("prints.py", code);
    let session = Session::open(&place.path()).await;
    for version in ["1.5.55", "2.4.0"] {
        let arguments = json!({"script_path": "prints.py", "python": pythons::with_scalene(version),
            "memory": false, "cpu_sampling_rate": 0.001, "env": {"PYTHONUNBUFFERED": "1"}});
        let answer = session.call("profile_script", arguments).await;
        let expected = 300 * 100_000;
        assert_eq!(answer.structured["stdout"]["total_bytes"], expected + "<stdout> w".len());
        assert_eq!(answer.structured["stderr"]["total_bytes"], expected, "{}", answer.text);
        let tail = answer.structured["stdout"]["tail"].as_str().unwrap();
        assert!(tail.ends_with("x\n<stdout> w"), "{tail}");
    }
    session.close().await;
}
