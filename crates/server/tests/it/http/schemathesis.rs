//! The whole API, asked whatever its description allows and much that it does not: nothing makes
//! the server fail, and every answer is one that the description has.

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use testkit::{block_on, tools};

use super::{builder, publish};
use crate::pictures::decoding;

/// Longest that all of it may take.
const TIME: Duration = Duration::from_secs(600);

/// The checks that are not for some calls, each with the reason.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/http/schemathesis.toml");

#[test]
fn whatever_is_asked_is_answered_as_described() {
    let Some(schemathesis) = tools::schemathesis() else { return };
    let mut server = decoding(builder()).args(["-record-all", "true"]).start();
    // What it asks for may be no file, and publishers are kicked.
    for message in
        ["publish refused", "failed to create recorder", "player too slow", "picture not made"]
    {
        server.allow(message);
    }
    let http = server.api();
    block_on(async {
        let ended = publish(&server, "live/ended", 120).await;
        ended.close().await.unwrap();
        let _live = publish(&server, "live/test", 120).await;
        let body = json!({"stream": "live/test", "labels": {"event": "concert"}});
        assert_eq!(http.send("POST", "/api/v1/recordings", Some(&body)).status, 201);
        let mut command = Command::new(schemathesis);
        command.args(["--config-file", CONFIG]);
        command.arg("run").arg(format!("http://{}/api/v1/openapi.json", server.http_addr()));
        // Events have no end: they have tests of their own.
        command.args(["--exclude-path", "/api/v1/events"]);
        // It makes the server refuse on purpose.
        command.args(["--exclude-path", "/api/v1/server/drain"]);
        // Many a text is no time, no name and no pattern though the description calls it text.
        command.args(["--exclude-checks", "positive_data_acceptance"]);
        command.args(["--max-examples", "20", "--workers", "2", "--seed", "1", "--no-color"]);
        // Longer than anything is waited for on a machine that has much else to do.
        command.args(["--request-timeout", "60"]);
        command.current_dir(server.dir());
        let output = tools::run(&mut command, TIME);
        assert!(output.is_success(), "{}\n{}", output.text(), output.stderr);
    });
    assert_eq!(http.get("/health").status, 200);
    server.stop();
}
