//! The parameters of Chromium's events and the results of its commands.
//!
//! Fields that are not read are left out, so a new Chromium may change them.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ports::driver::DriverError;

/// Reads the parameters of an event. An unreadable event is logged and ignored.
pub(super) fn read<'a, T: Deserialize<'a>>(method: &str, params: &'a RawValue) -> Option<T> {
    match serde_json::from_str(params.get()) {
        Ok(event) => Some(event),
        Err(error) => {
            let place = error.column();
            tracing::warn!(method, place, "the browser sent an event that cannot be read");
            None
        }
    }
}

/// Reads the result of a command.
pub(super) fn result<'a, T: Deserialize<'a>>(method: &str, result: &'a RawValue) -> Result<T, DriverError> {
    serde_json::from_str(result.get()).map_err(|error| {
        // Without the text of the error, which may quote the result.
        let place = error.column();
        DriverError::Protocol(format!("the result of {method} cannot be read, at {place}"))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttachedToTarget {
    pub(super) session_id: String,
    pub(super) target_info: TargetInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetInfo {
    pub(super) target_id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) subtype: Option<String>,
    #[serde(default)]
    pub(super) url: String,
    #[serde(default)]
    pub(super) browser_context_id: Option<String>,
    #[serde(default)]
    pub(super) opener_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DetachedFromTarget {
    pub(super) session_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestPaused {
    pub(super) request_id: String,
    pub(super) request: RequestInfo,
    /// The request whose answer redirected to this one.
    #[serde(default)]
    pub(super) redirected_request_id: Option<String>,
    #[serde(default)]
    pub(super) frame_id: Option<String>,
    #[serde(default)]
    pub(super) resource_type: String,
    /// Of an answer: its status.
    #[serde(default)]
    pub(super) response_status_code: Option<u16>,
    /// Of a request that failed: why.
    #[serde(default)]
    pub(super) response_error_reason: Option<String>,
}

impl RequestPaused {
    /// Is it paused with its answer, not before it leaves?
    pub(super) fn is_answer(&self) -> bool {
        self.response_status_code.is_some() || self.response_error_reason.is_some()
    }
}

#[derive(Deserialize)]
pub(super) struct BindingCalled {
    pub(super) name: String,
    pub(super) payload: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthRequired {
    pub(super) request_id: String,
}

#[derive(Deserialize)]
pub(super) struct RequestInfo {
    pub(super) url: String,
    pub(super) method: String,
    #[serde(default, rename = "urlFragment")]
    pub(super) fragment: String,
    #[serde(default)]
    pub(super) headers: std::collections::BTreeMap<String, String>,
    /// The body, unless it is long or binary.
    #[serde(default, rename = "postData")]
    pub(super) post_data: Option<String>,
    #[serde(default, rename = "hasPostData")]
    pub(super) has_post_data: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FrameRequestedNavigation {
    pub(super) frame_id: String,
    #[serde(default)]
    pub(super) disposition: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FrameStartedNavigating {
    pub(super) frame_id: String,
    pub(super) loader_id: String,
    pub(super) navigation_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FrameStoppedLoading {
    pub(super) frame_id: String,
}

#[derive(Deserialize)]
pub(super) struct FrameNavigated {
    pub(super) frame: Frame,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Frame {
    pub(super) id: String,
    pub(super) loader_id: String,
    pub(super) url: String,
    #[serde(default)]
    pub(super) url_fragment: String,
    /// Of an error page: the address that could not be reached.
    #[serde(default)]
    pub(super) unreachable_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NavigatedWithinDocument {
    pub(super) frame_id: String,
    pub(super) url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LifecycleEvent {
    pub(super) frame_id: String,
    pub(super) loader_id: String,
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct ExecutionContextCreated {
    pub(super) context: ExecutionContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecutionContext {
    pub(super) unique_id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) aux_data: AuxData,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuxData {
    #[serde(default)]
    pub(super) frame_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecutionContextDestroyed {
    pub(super) execution_context_unique_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JavascriptDialogOpening {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) default_prompt: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DownloadWillBegin {
    #[serde(default)]
    pub(super) url: String,
    pub(super) guid: String,
    #[serde(default)]
    pub(super) suggested_filename: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DownloadProgress {
    pub(super) guid: String,
    #[serde(default)]
    pub(super) total_bytes: f64,
    #[serde(default)]
    pub(super) received_bytes: f64,
    #[serde(default)]
    pub(super) state: String,
}

/// `Page.windowOpen`: something with an address.
#[derive(Deserialize)]
pub(super) struct Addressed {
    #[serde(default)]
    pub(super) url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Navigate {
    #[serde(default)]
    pub(super) loader_id: Option<String>,
    #[serde(default)]
    pub(super) error_text: Option<String>,
    #[serde(default)]
    pub(super) is_download: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Evaluated<'a> {
    #[serde(borrow)]
    pub(super) result: RemoteObject<'a>,
    #[serde(default)]
    pub(super) exception_details: Option<ExceptionDetails>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemoteObject<'a> {
    #[serde(default, borrow)]
    pub(super) value: Option<&'a RawValue>,
    /// For a result by reference.
    #[serde(default)]
    pub(super) object_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Described {
    pub(super) node: DomNode,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DomNode {
    /// Of an element that contains a frame.
    #[serde(default)]
    pub(super) frame_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ExceptionDetails {
    #[serde(default)]
    pub(super) text: String,
    #[serde(default)]
    pub(super) exception: Option<Exception>,
}

#[derive(Deserialize)]
pub(super) struct Exception {
    #[serde(default)]
    pub(super) description: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Screenshot<'a> {
    pub(super) data: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Version<'a> {
    pub(super) product: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BrowserContext {
    pub(super) browser_context_id: String,
}
