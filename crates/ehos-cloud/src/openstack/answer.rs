//! Reads a service's answer, and turns those that say no into the few failures somebody decides on.
//!
//! Deliberately retries nothing, and lets no more of an answer into a message than an operator can read.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use ehos_model::{Failure, FailureKind};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Keys whose values never reach a log.
const SECRET_KEYS: [&str; 8] = [
    "user_data",
    "OS-EXT-SRV-ATTR:user_data",
    "adminPass",
    "password",
    "secret",
    "private_key",
    "output",
    "id_token",
];

/// The most characters of an answer that go into a message.
const MESSAGE_LIMIT: usize = 400;

/// An answer, read to its end.
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: StatusCode,
    body: Vec<u8>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    location: Option<String>,
}

impl Answer {
    /// Reads the body.
    ///
    /// # Errors
    /// `Transient` where the connection breaks off.
    pub(super) async fn read(response: Response) -> Result<Self, Failure> {
        let status = response.status();
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let request_id = header("x-openstack-request-id").or_else(|| header("x-compute-request-id"));
        let retry_after =
            header("retry-after").and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
        let location = header("location");
        match response.bytes().await {
            Ok(body) => Ok(Self { status, body: body.to_vec(), request_id, retry_after, location }),
            Err(error) => Err(Failure::transient(format!(
                "the answer was cut off: {}{}",
                chain(&error),
                suffix(request_id.as_deref())
            ))),
        }
    }

    /// Gives the address of what was made (*`Location`*).
    pub(super) fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// Parses the body.
    ///
    /// # Errors
    /// `Transient` where it ends too early, `Rejected` where it is not what was expected.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let message =
                format!("the answer is not understood: {error}{}", suffix(self.request_id.as_deref()));
            if error.is_eof() { Failure::transient(message) } else { Failure::rejected(message) }
        })
    }

    /// Gives the failure that the status stands for; none below 300.
    pub(super) fn failure(&self) -> Option<Failure> {
        if self.status.is_success() {
            return None;
        }
        let text = self.message();
        let lower = text.to_lowercase();
        let later = FailureKind::Transient { retry_after: self.retry_after };
        let kind = match self.status.as_u16() {
            403 | 409 | 413 if lower.contains("quota") => FailureKind::Quota,
            _ if lower.contains("no valid host") => FailureKind::NoValidHost,
            401 | 403 => FailureKind::Auth,
            404 | 410 => FailureKind::NotFound,
            409 => FailureKind::Conflict,
            408 | 413 | 425 | 429 | 500.. => later,
            _ => FailureKind::Rejected,
        };
        let text = if text.is_empty() { "no explanation".to_owned() } else { text };
        Some(Failure::new(
            kind,
            format!("{}: {text}{}", self.status.as_u16(), suffix(self.request_id.as_deref())),
        ))
    }

    /// Finds the words for the operator in `{"badRequest": {"message": ...}}` and its relatives, or in HTML.
    fn message(&self) -> String {
        let raw = String::from_utf8_lossy(&self.body);
        let found = serde_json::from_slice::<Value>(&self.body).ok().and_then(|body| {
            let inner = || body.as_object()?.values().find_map(|part| part.get("message"));
            match body.get("message").or_else(inner)? {
                Value::String(words) => Some(words.clone()),
                other => Some(other.to_string()),
            }
        });
        one_line(&found.unwrap_or_else(|| without_tags(&raw)))
    }

    /// Gives the body for the log, secrets masked.
    pub(super) fn masked(&self) -> String {
        serde_json::from_slice(&self.body)
            .map_or_else(|_| format!("({} bytes)", self.body.len()), |body| masked(&body))
    }
}

/// Translates a call that brought no answer; says why the connection failed.
pub(super) fn unreachable(error: &reqwest::Error) -> Failure {
    let message = chain(error);
    if error.is_builder() { Failure::rejected(message) } else { Failure::transient(message) }
}

/// Writes an error with its causes, without the address (its query may be long, and the caller names the call).
fn chain(error: &reqwest::Error) -> String {
    if error.is_connect() {
        return format!("cannot connect: {}", root_cause(error));
    }
    let mut words = "connection lost".to_owned();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !words.contains(&text) {
            let _ = write!(words, ": {text}");
        }
        cause = inner.source();
    }
    words
}

/// Gives the last cause, without the layers around it and without the number of the system's error.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

/// Writes JSON with the values of secret keys replaced.
pub(super) fn masked(body: &Value) -> String {
    fn mask(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (key, field) in fields {
                    if SECRET_KEYS.contains(&key.as_str()) && (field.is_string() || field.is_number()) {
                        *field = Value::from("(masked)");
                    } else {
                        mask(field);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(mask),
            _ => (),
        }
    }
    let mut copy = body.clone();
    mask(&mut copy);
    copy.to_string()
}

fn suffix(request_id: Option<&str>) -> String {
    request_id.map_or_else(String::new, |id| format!(" ({id})"))
}

fn without_tags(html: &str) -> String {
    let mut inside = false;
    let visible = |c: &char| match *c {
        '<' => {
            inside = true;
            false
        }
        '>' => !std::mem::take(&mut inside),
        _ => !inside,
    };
    html.chars().filter(visible).collect()
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MESSAGE_LIMIT {
        return line;
    }
    line.chars().take(MESSAGE_LIMIT).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            body: body.as_bytes().to_vec(),
            request_id: Some("req-7".into()),
            retry_after: None,
            location: None,
        }
    }

    #[test]
    fn statuses_become_kinds() {
        let later = FailureKind::Transient { retry_after: None };
        for (status, body, kind, row) in [
            (
                400,
                r#"{"badRequest": {"message": "Invalid imageRef", "code": 400}}"#,
                FailureKind::Rejected,
                "bad",
            ),
            (401, r#"{"error": {"message": "no", "code": 401}}"#, FailureKind::Auth, "not logged in"),
            (403, r#"{"forbidden": {"message": "Quota exceeded for cores"}}"#, FailureKind::Quota, "quota"),
            (403, r#"{"forbidden": {"message": "Policy doesn't allow"}}"#, FailureKind::Auth, "not allowed"),
            (404, r#"{"itemNotFound": {"message": "gone"}}"#, FailureKind::NotFound, "gone"),
            (409, r#"{"conflictingRequest": {"message": "in task_state"}}"#, FailureKind::Conflict, "busy"),
            (
                409,
                r#"{"NeutronError": {"message": "Quota exceeded for resources: ['port']"}}"#,
                FailureKind::Quota,
                "ports",
            ),
            (413, r#"{"overLimit": {"message": "slow down"}}"#, later.clone(), "old rate limit"),
            (413, r#"{"overLimit": {"message": "Quota exceeded"}}"#, FailureKind::Quota, "old quota"),
            (
                500,
                r#"{"computeFault": {"message": "No valid host was found"}}"#,
                FailureKind::NoValidHost,
                "no host",
            ),
            (429, "", later.clone(), "too many"),
            (302, "", FailureKind::Rejected, "a redirection"),
            (504, "<html>gateway</html>", later, "proxy"),
        ] {
            assert_eq!(answer(status, body).failure().unwrap().kind, kind, "{row}");
        }
    }

    #[test]
    fn messages_are_the_clouds_words_and_end_with_the_request() {
        for (body, words) in [
            (
                r#"{"badRequest": {"message": "Invalid imageRef", "code": 400}}"#,
                "400: Invalid imageRef (req-7)",
            ),
            (r#"{"message": "plain"}"#, "400: plain (req-7)"),
            ("<html><h1>400  Bad\n</h1>Request</html>", "400: 400 Bad Request (req-7)"),
            ("", "400: no explanation (req-7)"),
        ] {
            assert_eq!(answer(400, body).failure().unwrap().message, words);
        }
        assert!(answer(400, &"x ".repeat(5000)).failure().unwrap().message.len() < 450, "long ones are cut");
    }

    #[test]
    fn secrets_are_masked_at_any_depth() {
        let body = serde_json::json!({"server": {"name": "n", "user_data": "U", "adminPass": "P", "list": [{"password": "Q"}]}});
        let text = masked(&body);
        assert!(text.contains(r#""name":"n""#), "{text}");
        assert!(!text.contains('U') && !text.contains(r#""P""#) && !text.contains('Q'), "{text}");
    }
}
