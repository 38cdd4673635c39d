//! The contract from outside: schemas, samples, and refused jobs.

use std::{fs, path::Path};

use seatwright::contract::{
    CANCEL_TYPE, Code, EVENT_TYPE, JOB_TYPE, Job, JobResult, Operation, RESULT_TYPE, SETTLE_TYPE, WireEvent,
};
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn samples(folder: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root().join("fixtures").join(folder)).expect("samples").flatten() {
        let text = fs::read_to_string(entry.path()).expect("a sample");
        all.push((
            entry.file_name().to_string_lossy().into_owned(),
            serde_json::from_str(&text).expect("JSON"),
        ));
    }
    assert!(all.len() >= 6, "{folder} has too few samples");
    all
}

/// Validates with a library that we did not write.
fn validator(name: &str) -> jsonschema::Validator {
    let text = fs::read_to_string(root().join(format!("docs/schema/{name}.schema.json")))
        .expect("a committed schema");
    jsonschema::draft202012::new(&serde_json::from_str(&text).expect("JSON")).expect("a JSON Schema")
}

#[test]
fn the_committed_schemas_match_the_types() {
    let schemas = seatwright::cli::schemas();
    let files = fs::read_dir(root().join("docs/schema")).expect("the folder").count();
    assert_eq!(files, schemas.len(), "docs/schema has a file that is not generated");
    for (name, schema) in schemas {
        let committed = fs::read_to_string(root().join(format!("docs/schema/{name}.schema.json")))
            .expect("a committed schema");
        let generated = format!("{}\n", serde_json::to_string_pretty(&schema).expect("JSON"));
        assert!(committed == generated, "docs/schema/{name}.schema.json is out of date: run `make schemas`");
    }
}

#[test]
fn the_committed_reference_matches_the_types() {
    let pages = seatwright::cli::reference(&root().join("tests/language")).expect("the examples");
    for (name, generated) in pages {
        let page = root().join("docs/reference").join(name);
        let committed = fs::read_to_string(page).expect("a committed page");
        assert!(committed == generated, "docs/reference/{name} is out of date: run `make schemas`");
    }
}

#[test]
fn every_sample_matches_its_schema_and_its_type() {
    for (folder, schema) in [("jobs", "job"), ("results", "result"), ("events", "event")] {
        let validator = validator(schema);
        for (name, sample) in samples(folder) {
            let errors: Vec<String> =
                validator.iter_errors(&sample).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{folder}/{name}: {errors:?}");
            let body = sample.to_string();
            let again = match schema {
                "job" => Job::parse(body.as_bytes())
                    .map(|job| serde_json::to_value(job).expect("JSON"))
                    .map_err(|r| r.failure.to_string()),
                "result" => serde_json::from_str::<JobResult>(&body)
                    .map(|r| serde_json::to_value(r).expect("JSON"))
                    .map_err(|e| e.to_string()),
                _ => serde_json::from_str::<WireEvent>(&body)
                    .map(|e| serde_json::to_value(e).expect("JSON"))
                    .map_err(|e| e.to_string()),
            };
            let again = again.unwrap_or_else(|e| panic!("{folder}/{name}: {e}"));
            if schema != "job" {
                assert_eq!(again, sample, "{folder}/{name} does not survive a round trip");
            }
        }
    }
}

#[test]
fn every_operation_and_code_has_one_name() {
    for operation in Operation::ALL {
        assert_eq!(serde_json::to_value(operation).expect("JSON"), operation.as_str());
    }
    let mut names: Vec<String> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), 47);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 47);
    for code in Code::ALL {
        assert!((400..=504).contains(&code.scim().status), "{code}");
        assert!(code.meaning().ends_with('.'), "{code}");
    }
}

#[test]
fn a_long_list_is_sent_in_parts_and_no_user_is_lost() {
    let text = fs::read_to_string(root().join("fixtures/results/list.json")).expect("a sample");
    let mut whole: JobResult = serde_json::from_str(&text).expect("a result");
    let one = whole.users.as_ref().and_then(|u| u.first()).expect("a user").clone();
    let named = |n: u32| seatwright::contract::UserRecord {
        user_name: format!("user{n}@acme.example"),
        ..one.clone()
    };
    whole.users = Some((0..5_000).map(named).collect());
    assert_eq!(whole.clone().into_parts(usize::MAX), [whole.clone()]);
    let parts = whole.clone().into_parts(64 * 1024);
    assert!(parts.len() > 5);
    let mut ids = std::collections::BTreeSet::new();
    for (number, part) in (1..).zip(&parts) {
        assert!(serde_json::to_vec(part).expect("JSON").len() <= 64 * 1024);
        let which = part.part.as_ref().expect("which part");
        assert_eq!((which.number, which.of as usize), (number, parts.len()));
        assert!(ids.insert(part.message_id()), "each part has an id of its own");
    }
    let joined: Vec<_> = parts.into_iter().flat_map(|p| p.users.unwrap_or_default()).collect();
    assert_eq!(Some(joined), whole.users);
}

#[test]
fn pictures_are_sent_while_there_is_space_and_the_last_ones_go_first() {
    let text = fs::read_to_string(root().join("fixtures/results/create.json")).expect("a sample");
    let mut bare: JobResult = serde_json::from_str(&text).expect("a result");
    let size = |result: &JobResult| serde_json::to_vec(result).expect("JSON").len();
    let travel = |result: &JobResult| -> Vec<bool> {
        result.evidence.iter().map(|picture| picture.inline.is_some()).collect()
    };
    let mut picture = bare.evidence.first().expect("a picture").clone();
    picture.inline = Some("QUJD".repeat(1000));
    bare.evidence.clear();
    let full = JobResult { evidence: vec![picture; 4], ..bare };
    for (room, wanted) in [
        (size(&full), [true, true, true, true]),
        (size(&full) - 1, [false, true, true, true]),
        (size(&full) - 4001, [false, false, true, true]),
        (100, [false, false, false, false]),
    ] {
        let mut sent = full.clone();
        sent.fit(room);
        assert_eq!(travel(&sent), wanted, "{room}");
        assert!(size(&sent) <= room || room == 100);
        assert!(sent.evidence.iter().all(|picture| picture.reference.is_some()));
    }
}

#[test]
fn a_refusal_names_the_place_and_repeats_no_secret() {
    let good = json!({
        "id": "1", "app": "ledgerly", "operation": "user.get", "integration": { "id": "i" },
        "user": { "userName": "ada@acme.example" },
    });
    assert!(Job::parse(good.to_string().as_bytes()).is_ok());
    let with = |pointer: &str, value: Value| {
        let mut job = good.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        job.pointer_mut(parent)
            .expect("the parent")
            .as_object_mut()
            .expect("a map")
            .insert(key.to_owned(), value);
        job
    };
    let table = [
        (with("/evidense", json!("all")), "evidense", "unknown field"),
        (with("/user/nickname", json!("A")), "/user/nickname", "RFC 7643"),
        (with("/user/urn:example:x", json!({ "a": 1 })), "", ""),
        (with("/operation", json!("user.creat")), "/operation", "unknown variant"),
        (with("/id", json!("")), "/id", "1 to 128"),
        (with("/user/password", json!("hunter2")), "/user/password", "reference"),
        (
            with("/service_account", json!({ "username": "x", "secrets": { "password": "hunter2" } })),
            "/service_account/secrets/password",
            "reference",
        ),
        (
            with(
                "/service_account",
                json!({ "username": "x", "secrets": { "password": { "value": "hunter2" } } }),
            ),
            "/service_account/secrets/password",
            "reference",
        ),
        (with("/service_account", json!("hunter2")), "/service_account", "schema"),
        (
            with("/service_account", json!({ "username": "x", "secrets": "hunter2" })),
            "/service_account/secrets",
            "schema",
        ),
        (
            with("/service_account", json!({ "username": "x", "secrets": ["hunter2"] })),
            "/service_account/secrets",
            "schema",
        ),
        (
            with("/service_account", json!({ "username": "x", "pasword": "hunter2" })),
            "/service_account/pasword",
            "schema",
        ),
        (
            with("/service_account", json!({ "username": "x", "login": "hunter2" })),
            "/service_account/login",
            "schema",
        ),
        (
            with("/new_user", json!({ "secrets": { "initial_password": "hunter2" } })),
            "/new_user/secrets/initial_password",
            "reference",
        ),
        (
            with("/new_user", json!({ "initial_password": "hunter2" })),
            "/new_user/initial_password",
            "reference",
        ),
        (
            with("/new_user", json!({ "generate": { "initial_password": "hunter2" } })),
            "/new_user/generate/initial_password",
            "schema",
        ),
        (
            with("/new_user", json!({ "deliver_to": "AGE-SECRET-KEY-1hunter2" })),
            "/new_user/deliver_to",
            "private key",
        ),
        (with("/new_user", json!({})), "/new_user", "user.get makes no new user"),
        (with("/window", json!({ "deadline": "tomorrow" })), "/window/deadline", ""),
        (with("/safeguard", json!({ "known_users": -1 })), "/safeguard/known_users", ""),
        (with("/integration/settings", json!({ "a": { "b": 1 } })), "/integration/settings/a", ""),
    ];
    for (job, place, says) in table {
        let parsed = Job::parse(job.to_string().as_bytes());
        if place.is_empty() {
            assert!(parsed.is_ok(), "extension URNs are kept");
            continue;
        }
        let refusal = parsed.expect_err(place);
        assert!(
            refusal.failure.message.contains(place) && refusal.failure.message.contains(says),
            "{place}: {}",
            refusal.failure.message
        );
        assert!(
            !format!("{}{:?}", refusal.failure, refusal.failure.hint).contains("hunter2"),
            "{place} repeats the secret"
        );
        assert_eq!(refusal.safe_to_keep, !job.to_string().contains("hunter2"));
    }
    let mut nobody = good.clone();
    nobody.as_object_mut().expect("a map").remove("user");
    assert!(
        Job::parse(nobody.to_string().as_bytes()).expect_err("no user").failure.message.starts_with("/user")
    );
}

#[test]
fn a_first_password_has_one_source_and_a_reader() {
    let parsed = |new_user: Value| {
        let job = json!({
            "id": "1", "app": "keyring", "operation": "user.create", "integration": { "id": "i" },
            "user": { "userName": "ada@acme.example" }, "new_user": new_user,
        });
        Job::parse(job.to_string().as_bytes()).map(drop).map_err(|refusal| refusal.failure.message)
    };
    let (key, made) = ("age1qqq", json!({ "initial_password": {} }));
    for good in [
        json!({}),
        json!({ "secrets": { "initial_password": "env:P" } }),
        json!({ "secrets": { "initial_password": "file:p" }, "deliver_to": key }),
        json!({ "generate": made, "deliver_to": key }),
        json!({ "generate": made, "deliver_to": "nobody" }),
        json!({ "generate": { "initial_password": { "length": 8, "classes": ["digit"] } }, "deliver_to": "nobody" }),
    ] {
        assert_eq!(parsed(good.clone()), Ok(()), "{good}");
    }
    for (bad, says) in [
        (json!({ "generate": made }), "/new_user/deliver_to: nobody would know"),
        (json!({ "generate": made, "deliver_to": "ada@acme.example" }), "/new_user/deliver_to: write an age"),
        (json!({ "secrets": { "pin": "env:P" } }), "the only secret of a new user is `initial_password`"),
        (
            json!({ "generate": made, "secrets": { "initial_password": "env:P" }, "deliver_to": key }),
            "not both",
        ),
        (json!({ "generate": { "initial_password": { "length": 7 } }, "deliver_to": key }), "`length` is 7"),
        (
            json!({ "generate": { "initial_password": { "classes": [] } }, "deliver_to": key }),
            "`classes` is empty",
        ),
    ] {
        let said = parsed(bad.clone()).expect_err(says);
        assert!(said.contains(says), "{bad}: {said}");
    }
}

#[test]
fn a_key_that_is_there_twice_is_refused_with_its_place() {
    let account = r#""service_account":{"username":"x","secrets":{"password":"env:P"}}"#;
    let user = r#""user":{"userName":"ada@acme.example","emails":[{"value":"a@b"},{"value":"c@d"}]}"#;
    let head = r#""id":"1","app":"ledgerly","operation":"user.get","integration":{"id":"i"}"#;
    let good = format!("{{{head},{account},{user}}}");
    assert!(Job::parse(good.as_bytes()).is_ok());
    // What is in the job, what is there instead, its place, and whether the hidden value cannot be a secret.
    for (from, to, place, safe) in [
        (
            r#""operation":"user.get""#,
            r#""operation":"user.delete","operation":"user.get""#,
            "/operation",
            true,
        ),
        (r#"{"value":"c@d"}"#, r#"{"value":"c@d","value":"e@f"}"#, "/user/emails/1/value", true),
        (
            r#""password":"env:P""#,
            r#""password":"hunter2","password":"env:P""#,
            "/service_account/secrets/password",
            false,
        ),
        (account, &format!(r#""service_account":"hunter2",{account}"#), "/service_account", false),
        (user, &format!(r#""user":{{"password":"hunter2"}},{user}"#), "/user", false),
    ] {
        let twice = good.replace(from, to);
        assert_ne!(twice, good, "{from}");
        let refusal = Job::parse(twice.as_bytes()).expect_err(place);
        assert_eq!(refusal.failure.code, Code::InvalidJob, "{place}");
        assert_eq!(refusal.failure.message, format!("{place} is in the job twice"));
        assert_eq!((refusal.id.as_deref(), refusal.safe_to_keep), (Some("1"), safe), "{place}");
    }
}

proptest::proptest! {
    /// Every body is a job or a refusal.
    #[test]
    fn no_body_breaks_the_reader(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = Job::parse(&body);
    }

    /// So is a body that is almost a job.
    #[test]
    fn no_broken_job_breaks_the_reader(at in 0usize..400, byte in proptest::num::u8::ANY) {
        let mut body = fs::read(root().join("fixtures/jobs/create.json")).expect("a sample");
        let at = at % body.len();
        body[at] = byte;
        let _ = Job::parse(&body);
    }
}

/// `docs/asyncapi.yaml` has the message names of the code, and its references exist.
#[test]
fn the_asyncapi_document_matches_the_code() {
    let folder = root().join("docs");
    let text = fs::read_to_string(folder.join("asyncapi.yaml")).expect("the document");
    let document: Value = serde_saphyr::from_str(&text).expect("YAML");
    let messages = document["components"]["messages"].as_object().expect("messages");
    let mut names: Vec<&str> = messages.values().filter_map(|message| message["name"].as_str()).collect();
    names.sort_unstable();
    let mut known = [JOB_TYPE, RESULT_TYPE, EVENT_TYPE, SETTLE_TYPE, CANCEL_TYPE];
    known.sort_unstable();
    assert_eq!(names, known);
    let mut seen = 0;
    let mut left = vec![&document];
    while let Some(value) = left.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            seen += 1;
            match reference.strip_prefix('#') {
                Some(pointer) => assert!(document.pointer(pointer).is_some(), "{reference}"),
                None => assert!(folder.join(reference).is_file(), "{reference}"),
            }
        }
        left.extend(value.as_object().into_iter().flat_map(|map| map.values()));
        left.extend(value.as_array().into_iter().flatten());
    }
    assert!(seen > 10, "{seen} references");
}
