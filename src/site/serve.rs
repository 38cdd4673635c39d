//! A site over HTTP, with a control interface for tests (`/_site/…`).

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, State},
    http::{Method, Response, StatusCode, Uri, header},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{
    app::{SiteApp, SiteState},
    control::control,
    faults::{Fault, Kind, Lag},
    line::{Cut, Cuttable},
    load::{Site, SiteError},
    log::{LoggedRequest, RequestLog},
    request::SiteRequest,
    response::{failing, page, redirect},
    world::{Language, seed},
};

/// A site that is being served.
pub struct RunningSite {
    app: Arc<SiteApp>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Site {
    /// Serves the site; port 0 takes a free one.
    pub async fn serve(self, address: SocketAddr) -> Result<RunningSite, SiteError> {
        let file = self.folder.join("site.yaml").display().to_string();
        let wrong = |reason: String| SiteError::Wrong { file: file.clone(), reason };
        let language = Language::new(&self).map_err(wrong)?;
        let world = seed(&self, &language).map_err(wrong)?;
        let listener =
            TcpListener::bind(address).await.map_err(|source| SiteError::Listen { address, source })?;
        let address = listener.local_addr().map_err(|e| wrong(e.to_string()))?;
        let state = Mutex::new(SiteState::new(world));
        let app = Arc::new(SiteApp { site: self, language, state, log: Arc::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&app));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<Cut>();
            let serving = axum::serve(Cuttable(listener), service);
            tokio::select! {
                _ = serving => {}
                _ = stopped => {}
            }
        });
        Ok(RunningSite { app, address, stop: Some(stop), task: Some(task) })
    }
}

impl RunningSite {
    /// Its address: `http://ledgerly.localhost:4711`. Browsers resolve every `*.localhost` to this machine.
    pub fn url(&self) -> String {
        format!("http://{}.localhost:{}", self.app.site.name(), self.address.port())
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Its state.
    pub fn world(&self) -> Value {
        self.app.state().world.value().clone()
    }

    /// The requests that it has received.
    pub fn log(&self) -> Arc<RequestLog> {
        Arc::clone(&self.app.log)
    }

    /// Changes its state; or returns why not.
    pub fn change(&self, change: impl FnOnce(&mut Value) -> Result<(), String>) -> Result<(), String> {
        change(self.app.state().world.change())
    }

    /// Replaces the faults, in the form of `/_site/faults`, and ends a `lag`.
    pub fn fail_with(&self, faults: &[Value]) -> Result<(), String> {
        self.app.fail_with(Value::from(faults.to_vec()))
    }

    /// The faults that never happened, as `slow on GET /members`.
    pub fn unmet_faults(&self) -> Vec<String> {
        Fault::unmet(&self.app.state().faults)
    }

    /// Resets the world, the sessions, the faults and the log.
    pub fn reset(&self) {
        // A site that is served has a first state.
        let _ = self.app.reset();
    }

    /// Stops serving; open connections are closed.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

async fn answer(
    State(app): State<Arc<SiteApp>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    method: Method,
    uri: Uri,
    headers: header::HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = uri.path().to_owned();
    if let Some(rest) = path.strip_prefix("/_site/") {
        return control(&app, &method, rest, &body);
    }
    let number = app.log.arrived(LoggedRequest::new(&method, &uri, &headers, &body));
    let mut request = match SiteRequest::read(&method, &uri, &headers, &body) {
        Ok(request) => request,
        Err(reason) => return page(StatusCode::BAD_REQUEST, reason, "text/plain; charset=utf-8"),
    };
    let in_address = request.query.get("token").is_some_and(|tokens| !tokens.is_empty());
    if let Some(session) = app.by_token(&request) {
        request.session.clone_from(&session);
        if in_address {
            // The redirect removes the token from the address.
            let mut response = redirect(&request.path);
            let cookie = format!("session={session}; Path=/; HttpOnly; SameSite=Lax");
            if let Ok(value) = header::HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(header::SET_COOKIE, value);
            }
            return response;
        }
    }
    let (place, route, parameters) = app.route(&request);
    let fault = Fault::take(&mut app.state().faults, &place);
    if let Some(fault) = &fault {
        match fault.kind {
            Kind::Slow => tokio::time::sleep(Duration::from_millis(fault.ms.unwrap_or_default())).await,
            Kind::Status => {
                let response = failing(fault);
                app.log.answered(number, response.status().as_u16());
                return response;
            }
            Kind::SessionLost => drop(app.state().sessions.remove(&request.session)),
            Kind::Lag => {
                let mut state = app.state();
                let earlier = state.lag.take();
                state.lag = Some(Lag::of(fault, earlier, &state.world));
            }
            _ => {}
        }
    }
    let response = app.respond(&request, route, parameters);
    app.log.answered(number, response.status().as_u16());
    match fault.map(|fault| fault.kind) {
        Some(Kind::DropAfter) => cut.now(),
        Some(Kind::HangAfter) => std::future::pending::<()>().await,
        _ => {}
    }
    app.reshaped(&place, response).await
}
