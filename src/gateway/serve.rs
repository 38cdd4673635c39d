//! SCIM over HTTP (RFC 7644): reads requests, asks the keeper, writes answers. Paths are read tolerantly, because identity providers
//! write a slash too many.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore};
use tracing::{info, warn};

use super::{
    integration::Served,
    keeper::Keeper,
    scim::{fault::ScimFault, schema},
};
use crate::{digest::sha256, ports::mirror::AccessToken};

/// The largest request body.
const MOST_BYTES: usize = 256 * 1024;
/// The most writes that wait for the app at a time.
const MOST_WRITES: usize = 200;
/// How long *last used* of a token may be behind.
const USED: Duration = Duration::from_secs(60);

/// The SCIM server.
pub struct ScimServer {
    pub keeper: Arc<Keeper>,
    /// The address that identity providers know, without a slash at its end.
    pub public_url: String,
    pub(super) writes: Semaphore,
}

/// A request of an integration's identity provider.
pub(super) struct ScimRequest {
    pub served: Arc<Served>,
    pub actor: String,
    pub method: Method,
    /// The parts of the path after `v2`.
    pub path: Vec<String>,
    pub query: HashMap<String, String>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The address of the integration: `https://host/scim/id/v2`.
    pub base: String,
}

/// An answer.
pub(super) struct ScimAnswer {
    pub status: u16,
    pub body: Option<Value>,
    pub headers: Vec<(header::HeaderName, String)>,
}

impl ScimAnswer {
    pub fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body), headers: Vec::new() }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, body: None, headers: Vec::new() }
    }

    pub fn header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<ScimFault> for ScimAnswer {
    fn from(fault: ScimFault) -> Self {
        Self { status: fault.status, body: Some(fault.to_json()), headers: Vec::new() }
    }
}

impl ScimServer {
    pub fn new(keeper: Arc<Keeper>, public_url: &str) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self { keeper, public_url, writes: Semaphore::new(MOST_WRITES) }
    }

    /// Serves until the process ends.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, Router::new().fallback(any).with_state(self)).await
    }

    async fn answer(&self, request: Request) -> ScimAnswer {
        match self.read(request).await {
            Ok(request) => {
                let answer = self.route(&request).await.unwrap_or_else(ScimAnswer::from);
                info!(
                    integration = request.served.id,
                    status = answer.status,
                    "{} /{}",
                    request.method,
                    request.path.first().map_or("", String::as_str)
                );
                answer
            }
            Err(fault) => fault.into(),
        }
    }

    /// Reads a request, and who sends it.
    async fn read(&self, request: Request) -> Result<ScimRequest, ScimFault> {
        let (parts, body) = request.into_parts();
        let path: Vec<String> = parts
            .uri
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let [scim, id, version, rest @ ..] = path.as_slice() else {
            return Err(ScimFault::not_found("there is nothing at this address"));
        };
        if scim != "scim" || version != "v2" {
            return Err(ScimFault::not_found("there is nothing at this address"));
        }
        let token = self.token(&parts.headers).await?;
        // The same answer, whether the integration exists or not.
        let served = token.as_ref().filter(|token| token.integration == *id);
        let served = served.and_then(|token| self.keeper.integrations.get(&token.integration));
        let (Some(served), Some(token)) = (served, &token) else { return Err(ScimFault::unauthorized()) };
        let body = to_bytes(body, MOST_BYTES)
            .await
            .map_err(|_| ScimFault::new(413, None, format!("a body can have at most {MOST_BYTES} bytes")))?;
        let query = parts.uri.query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(ScimRequest {
            served: Arc::clone(served),
            actor: token.name.clone(),
            method: parts.method,
            path: rest.to_vec(),
            query,
            headers: parts.headers,
            body,
            base: format!("{}/scim/{id}/v2", self.public_url),
        })
    }

    /// The token of a request: `Bearer x`, or `x` alone.
    async fn token(&self, headers: &HeaderMap) -> Result<Option<AccessToken>, ScimFault> {
        let sent =
            headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = match sent.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => sent.trim(),
        };
        let digest = sha256(token);
        let found = self.keeper.mirror.token(&digest).await.map_err(|error| unavailable(&error))?;
        let now = Timestamp::now();
        let stale = |token: &AccessToken| {
            token
                .used_at
                .is_none_or(|at| Duration::try_from(now.duration_since(at)).is_ok_and(|age| age > USED))
        };
        if found.as_ref().is_some_and(stale)
            && let Err(error) = self.keeper.mirror.used(&digest, now).await
        {
            warn!("{error}");
        }
        Ok(found)
    }

    async fn route(&self, request: &ScimRequest) -> Result<ScimAnswer, ScimFault> {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let face = &request.served.face;
        match (&request.method, path.as_slice()) {
            (&Method::GET, ["ServiceProviderConfig"]) => {
                Ok(ScimAnswer::ok(schema::service_provider_config(&request.base)))
            }
            (&Method::GET, ["ResourceTypes" | "Schemas", ..]) if request.query.contains_key("filter") => {
                // RFC 7644 §4: a filter is refused.
                Err(ScimFault::new(403, None, "a filter is not possible here"))
            }
            (&Method::GET, ["ResourceTypes"]) => Ok(all_of(schema::resource_types(face, &request.base))),
            (&Method::GET, ["ResourceTypes", id]) => one_of(schema::resource_types(face, &request.base), id),
            (&Method::GET, ["Schemas"]) => Ok(all_of(schema::schemas(face, &request.base))),
            (&Method::GET, ["Schemas", id]) => one_of(schema::schemas(face, &request.base), id),
            (&Method::GET, ["Users"]) => self.list(request, &request.query).await,
            (&Method::POST, ["Users", ".search"] | [".search"]) => self.search(request).await,
            (&Method::GET, ["Users", id]) => self.get(request, id).await,
            (&Method::POST, ["Users"]) => self.post(request).await,
            (&Method::PUT | &Method::PATCH, ["Users", id]) => self.edit(request, id).await,
            (&Method::DELETE, ["Users", id]) => self.delete(request, id).await,
            (_, ["Users" | "ResourceTypes" | "Schemas" | "ServiceProviderConfig", ..]) => {
                Err(ScimFault::new(405, None, "this method is not possible here"))
            }
            _ => Err(ScimFault::not_found("there is no such resource type")),
        }
    }
}

async fn any(State(server): State<Arc<ScimServer>>, request: Request) -> Response {
    let answer = server.answer(request).await;
    let mut response = Response::new(match &answer.body {
        Some(body) => Body::from(body.to_string()),
        None => Body::empty(),
    });
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if answer.body.is_some() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
    }
    if answer.status == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// An error of the mirror. Its text is for the log.
pub(super) fn unavailable(error: &crate::ports::mirror::MirrorError) -> ScimFault {
    warn!("{error}");
    ScimFault::new(503, None, "the gateway cannot read or write its store; try again later")
}

fn all_of(documents: Vec<Value>) -> ScimAnswer {
    ScimAnswer::ok(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": documents.len(),
        "startIndex": 1,
        "itemsPerPage": documents.len(),
        "Resources": documents,
    }))
}

fn one_of(documents: Vec<Value>, id: &str) -> Result<ScimAnswer, ScimFault> {
    let found = documents.into_iter().find(|document| document["id"] == id);
    found.map(ScimAnswer::ok).ok_or_else(|| ScimFault::not_found("there is no such document"))
}
