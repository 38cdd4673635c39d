//! The proxy between a browser and a real app. It passes everything on, except for the faults that a test asks for.

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{
    faults::{Fault, Kind},
    line::{Cut, Cuttable},
    log::{LoggedRequest, RequestLog},
    request::matches,
    response::{failing, page},
};

/// The largest body of a request, and of an answer that a fault changes.
const MAX_BODY_BYTES: usize = 64 << 20;

/// A proxy before a real app on this machine.
pub struct Proxy {
    between: Arc<Between>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

struct Between {
    /// The port of the app.
    app: u16,
    client: Client<HttpConnector, Body>,
    state: Mutex<ProxyState>,
    log: Arc<RequestLog>,
}

#[derive(Default)]
struct ProxyState {
    faults: Vec<Fault>,
    /// Cookies of lost sessions. The app never sees them again.
    lost: BTreeSet<String>,
}

impl Proxy {
    /// Starts a proxy before the app on this port.
    pub async fn before(app: u16, faults: &[Value]) -> Result<Proxy, String> {
        let faults: Vec<Fault> = serde_json::from_value(Value::from(faults.to_vec()))
            .map_err(|error| format!("not a list of faults: {error}"))?;
        if let Some(fault) = faults.iter().find(|fault| fault.kind.needs_site()) {
            return Err(format!(
                "a real app cannot have the fault `{}`: only a fixture site can change what a write does and what reads see",
                fault.kind.name()
            ));
        }
        let no_port = |error: io::Error| format!("no free port on this machine: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(no_port)?;
        let address = listener.local_addr().map_err(no_port)?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let state = Mutex::new(ProxyState { faults, lost: BTreeSet::new() });
        let between = Arc::new(Between { app, client, state, log: Arc::default() });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&between));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<Cut>();
            tokio::select! {
                _ = axum::serve(Cuttable(listener), service) => {}
                _ = stopped => {}
            }
        });
        Ok(Proxy { between, address, stop: Some(stop), task: Some(task) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The faults that never happened, as `slow on GET /users`.
    pub fn unmet_faults(&self) -> Vec<String> {
        Fault::unmet(&self.between.state().faults)
    }

    /// The requests that have passed it, without their answers.
    pub fn log(&self) -> Arc<RequestLog> {
        Arc::clone(&self.between.log)
    }

    /// Stops; open connections are closed.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Between {
    fn state(&self) -> MutexGuard<'_, ProxyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The places of faults that match a request: `GET /users/{name}`.
    fn places(&self, request: &Request) -> Vec<String> {
        let (method, path) = (request.method().as_str(), request.uri().path());
        let at = |place: &&String| {
            place
                .split_once(' ')
                .is_some_and(|(wanted, pattern)| wanted == method && matches(pattern, path).is_some())
        };
        let state = self.state();
        let places: BTreeSet<&String> = state.faults.iter().map(|fault| &fault.on).filter(at).collect();
        places.into_iter().cloned().collect()
    }

    /// The app's answer.
    async fn ask(&self, mut request: Request) -> Response<Body> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let address = format!("http://127.0.0.1:{}{path}", self.app).parse::<Uri>();
        match address {
            Ok(address) => *request.uri_mut() = address,
            Err(error) => return refused(&format!("not an address: {error}")),
        }
        // A compressed answer could not be changed.
        request.headers_mut().remove(header::ACCEPT_ENCODING);
        self.state().without_lost(request.headers_mut());
        match self.client.request(request).await {
            Ok(answer) => answer.map(Body::new),
            Err(error) => refused(&format!("the app does not answer: {error}")),
        }
    }

    /// The answer, changed by the faults at its places.
    async fn reshaped(&self, places: &[String], answer: Response<Body>) -> Response<Body> {
        if !places.iter().any(|place| Fault::reshapes(&self.state().faults, place)) {
            return answer;
        }
        let (mut parts, body) = answer.into_parts();
        let media = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media = media.unwrap_or_default().to_owned();
        let body = match to_bytes(body, MAX_BODY_BYTES).await {
            Ok(body) => String::from_utf8(body.into()),
            Err(error) => return refused(&format!("the app's answer broke off: {error}")),
        };
        let body = match body {
            Ok(text) => {
                let mut state = self.state();
                let changed = places
                    .iter()
                    .fold(text, |text, place| Fault::reshape(&mut state.faults, place, &media, text));
                Body::from(changed)
            }
            // Not text, such as a picture.
            Err(bytes) => Body::from(bytes.into_bytes()),
        };
        parts.headers.remove(header::CONTENT_LENGTH);
        Response::from_parts(parts, body)
    }
}

fn refused(reason: &str) -> Response<Body> {
    page(StatusCode::BAD_GATEWAY, reason.to_owned(), "text/plain; charset=utf-8")
}

impl ProxyState {
    /// Ends the session of a request, with all its cookies. Returns their names.
    fn lose(&mut self, headers: &mut HeaderMap) -> Vec<String> {
        self.lost.extend(cookies(headers));
        headers.remove(header::AUTHORIZATION);
        cookies(headers).filter_map(|cookie| Some(cookie.split_once('=')?.0.to_owned())).collect()
    }

    fn without_lost(&self, headers: &mut HeaderMap) {
        if self.lost.is_empty() {
            return;
        }
        let kept: Vec<String> = cookies(headers).filter(|cookie| !self.lost.contains(cookie)).collect();
        headers.remove(header::COOKIE);
        if let (false, Ok(kept)) = (kept.is_empty(), HeaderValue::from_str(&kept.join("; "))) {
            headers.insert(header::COOKIE, kept);
        }
    }
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = String> + '_ {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split("; ").map(str::to_owned))
}

async fn pass(
    State(between): State<Arc<Between>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, MAX_BODY_BYTES).await {
        Ok(body) => body,
        Err(error) => return refused(&format!("the request broke off: {error}")),
    };
    between.log.arrived(LoggedRequest::new(&parts.method, &parts.uri, &parts.headers, &body));
    let mut request = Request::from_parts(parts, Body::from(body));
    let places = between.places(&request);
    let fault = places.iter().find_map(|place| Fault::take(&mut between.state().faults, place));
    let mut forgotten = Vec::new();
    if let Some(fault) = &fault {
        match fault.kind {
            Kind::Slow => tokio::time::sleep(Duration::from_millis(fault.ms.unwrap_or_default())).await,
            Kind::Status => return failing(fault),
            Kind::SessionLost => forgotten = between.state().lose(request.headers_mut()),
            _ => {}
        }
    }
    let answer = between.ask(request).await;
    if let Some(kind) = fault.map(|fault| fault.kind)
        && matches!(kind, Kind::DropAfter | Kind::HangAfter)
    {
        // When its answer is complete, the app has done the request.
        let _ = to_bytes(answer.into_body(), MAX_BODY_BYTES).await;
        if kind == Kind::HangAfter {
            std::future::pending::<()>().await;
        }
        cut.now();
        return Response::default();
    }
    let mut answer = between.reshaped(&places, answer).await;
    // Pages that read the cookie themselves see the end of the session by this.
    for name in forgotten {
        if let Ok(cookie) = HeaderValue::from_str(&format!("{name}=; Max-Age=0; Path=/")) {
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    answer
}
