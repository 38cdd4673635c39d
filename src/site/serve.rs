//! A site over HTTP, with its world behind it and a control side for tests (`/_site/…`).

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, State},
    http::{Method, Response, StatusCode, Uri, header},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{
    control::control,
    faults::{Fault, Kind, Lag},
    line::{Cut, Cuttable},
    load::{Require, Route, Site, SiteError},
    request::{Request, filled, matches},
    sign_in::Arrivals,
    world::{Held, Language, Names, act, seed, seen},
};

/// A site that is being served.
pub struct RunningSite {
    app: Arc<App>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

pub(super) struct App {
    pub(super) site: Site,
    pub(super) language: Language,
    state: Mutex<Now>,
}

/// Everything that changes.
pub(super) struct Now {
    pub(super) world: Held,
    pub(super) sessions: HashMap<String, Session>,
    pub(super) arrivals: Arrivals,
    pub(super) faults: Vec<Fault>,
    /// Reads see the world from before, for a while.
    lag: Option<Lag>,
    pub(super) log: Vec<Value>,
    pub(super) serial: u64,
}

#[derive(Clone, Default)]
pub(super) struct Session {
    pub(super) user: Option<String>,
    pub(super) csrf: String,
    pub(super) flash: Option<String>,
    /// Overlays that were put away.
    pub(super) seen: Vec<String>,
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
        let state = Mutex::new(Now::new(world));
        let app = Arc::new(App { site: self, language, state });
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
    /// Where it is: `http://ledgerly.localhost:4711`. Browsers take every `*.localhost` to this machine.
    pub fn url(&self) -> String {
        format!("http://{}.localhost:{}", self.app.site.name(), self.address.port())
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Its state.
    pub fn world(&self) -> Value {
        self.app.now().world.value().clone()
    }

    /// Changes its state, or says why not.
    pub fn change(&self, change: impl FnOnce(&mut Value) -> Result<(), String>) -> Result<(), String> {
        change(self.app.now().world.change())
    }

    /// What goes wrong from now on: faults as `/_site/faults` takes them. A `lag` that holds is over.
    pub fn fail_with(&self, faults: &[Value]) -> Result<(), String> {
        self.app.fail_with(Value::from(faults.to_vec()))
    }

    /// The faults that never came, as `slow on GET /members`.
    pub fn unmet_faults(&self) -> Vec<String> {
        Fault::unmet(&self.app.now().faults)
    }

    /// Back to the beginning: world, sessions, faults.
    pub fn reset(&self) {
        if let Ok(world) = seed(&self.app.site, &self.app.language) {
            *self.app.now() = Now::new(world);
        }
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

impl Now {
    pub(super) fn new(world: Held) -> Self {
        Self {
            world,
            sessions: HashMap::new(),
            arrivals: Arrivals::default(),
            faults: Vec::new(),
            lag: None,
            log: Vec::new(),
            serial: 0,
        }
    }
}

impl App {
    pub(super) fn now(&self) -> MutexGuard<'_, Now> {
        // A request that panicked has not touched the world half-way: every change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Faults instead of those from before; or why these cannot be.
    pub(super) fn fail_with(&self, faults: Value) -> Result<(), String> {
        let faults: Vec<Fault> =
            serde_json::from_value(faults).map_err(|error| format!("not a list of faults: {error}"))?;
        for fault in &faults {
            self.site.has_place(&fault.on)?;
        }
        let mut now = self.now();
        now.faults = faults;
        now.lag = None;
        Ok(())
    }
}

async fn answer(
    State(app): State<Arc<App>>,
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
    let mut request = match Request::read(&method, &uri, &headers, &body) {
        Ok(request) => request,
        Err(reason) => return page(StatusCode::BAD_REQUEST, reason, "text/plain; charset=utf-8"),
    };
    let in_address = request.query.get("token").is_some_and(|tokens| !tokens.is_empty());
    if let Some(session) = app.by_token(&request) {
        request.session.clone_from(&session);
        if in_address {
            // Out of the address at once.
            let mut response = redirect(&request.path);
            let cookie = format!("session={session}; Path=/; HttpOnly; SameSite=Lax");
            if let Ok(value) = header::HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(header::SET_COOKIE, value);
            }
            return response;
        }
    }
    let (place, route, parameters) = app.route(&request);
    let fault = Fault::take(&mut app.now().faults, &place);
    if let Some(fault) = &fault {
        match fault.kind {
            Kind::Slow => tokio::time::sleep(Duration::from_millis(fault.ms.unwrap_or_default())).await,
            Kind::Status => {
                let response = failing(fault);
                app.log(&request, response.status());
                return response;
            }
            Kind::SessionLost => drop(app.now().sessions.remove(&request.session)),
            Kind::Lag => {
                let mut now = app.now();
                let earlier = now.lag.take();
                now.lag = Some(Lag::of(fault, earlier, &now.world));
            }
            _ => {}
        }
    }
    let response = app.respond(&request, route, parameters);
    app.log(&request, response.status());
    match fault.map(|fault| fault.kind) {
        Some(Kind::DropAfter) => cut.now(),
        Some(Kind::HangAfter) => std::future::pending::<()>().await,
        _ => {}
    }
    app.reshaped(&place, response).await
}

/// What a server says that fails.
pub(super) fn failing(fault: &Fault) -> Response<Body> {
    let code = status(fault.status, StatusCode::SERVICE_UNAVAILABLE);
    let text = format!("<!doctype html><title>{code}</title><h1>{code}</h1>");
    let mut response = page(code, text, "text/html; charset=utf-8");
    if let Some(seconds) = fault.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

impl App {
    fn log(&self, request: &Request, status: StatusCode) {
        // What a page is made of would hide what was asked of the site.
        if !request.path.starts_with("/static/") {
            let entry = json!({ "method": request.method, "path": request.path, "status": status.as_u16() });
            self.now().log.push(entry);
        }
    }

    /// The answer as the faults at its place make it.
    async fn reshaped(&self, place: &str, response: Response<Body>) -> Response<Body> {
        if !Fault::reshapes(&self.now().faults, place) {
            return response;
        }
        let (parts, body) = response.into_parts();
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        // The body is a text that was made here: it is there as a whole.
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let text = Fault::reshape(&mut self.now().faults, place, &content_type, text);
        Response::from_parts(parts, Body::from(text))
    }

    /// `POST /members/{id}` as the site has it, the route, and what its path names.
    fn route(&self, request: &Request) -> (String, Option<&Route>, BTreeMap<String, String>) {
        let name = self.site.name();
        for route in &self.site.file.routes {
            let (method, pattern) = route.place();
            let here = route.host.as_deref().is_none_or(|host| request.host_name(&name) == Some(host));
            if here
                && method == request.method
                && let Some(parameters) = matches(pattern, &request.path)
            {
                return (format!("{method} {pattern}"), Some(route), parameters);
            }
        }
        (format!("{} {}", request.method, request.path), None, BTreeMap::new())
    }

    fn respond(
        &self,
        request: &Request,
        route: Option<&Route>,
        parameters: BTreeMap<String, String>,
    ) -> Response<Body> {
        let sign_in = &self.site.file.sign_in;
        if let Some(name) = request.path.strip_prefix("/static/") {
            return match self.site.templates.get(name) {
                Some(text) => page(StatusCode::OK, text.clone(), media_type(name)),
                None => page(StatusCode::NOT_FOUND, "not here".into(), "text/plain"),
            };
        }
        if let Some(response) = self.arrive(request) {
            return response;
        }
        if request.path == "/" && route.is_none() && !sign_in.home.contains('{') {
            return redirect(&sign_in.home);
        }
        let session = self.now().sessions.get(&request.session).filter(|s| s.user.is_some()).cloned();
        let open = route.is_some_and(|route| !route.require_session);
        let api = request.wants_json;
        let session = match session {
            Some(session) => session,
            None if open => Session::default(),
            None if api => return refusal(StatusCode::UNAUTHORIZED, "Sign in first"),
            None => return redirect(&filled(&sign_in.path, &BTreeMap::new(), &request.path)),
        };
        let Some(route) = route else {
            return page(
                StatusCode::NOT_FOUND,
                "<!doctype html><title>Not found</title><h1>Not found</h1>".into(),
                "text/html; charset=utf-8",
            );
        };
        if request.method != "GET" && !open && !request.bearer && request.csrf() != session.csrf {
            if api {
                return refusal(StatusCode::FORBIDDEN, "This form is out of date");
            }
            return page(
                StatusCode::FORBIDDEN,
                "<!doctype html><title>Forbidden</title><h1>This form is out of date</h1>".into(),
                "text/html; charset=utf-8",
            );
        }
        self.carry_out(request, route, parameters, &session).unwrap_or_else(|reason| {
            // A site author reads this in the browser.
            page(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("site.yaml: {reason}"),
                "text/plain; charset=utf-8",
            )
        })
    }

    /// Requirements, actions and the answer. The world changes in one step, after everything was worked out.
    fn carry_out(
        &self,
        request: &Request,
        route: &Route,
        parameters: BTreeMap<String, String>,
        session: &Session,
    ) -> Result<Response<Body>, String> {
        let mut now = self.now();
        let mut names = self.names(&mut now, request, session);
        names.insert("path".into(), seen(parameters));
        self.language.define(&route.lets, &mut names)?;
        for require in &route.require {
            let holds = self.language.eval(&require.that, &names)?;
            if !truthy(&holds) {
                return self.fail(route, require, names, request.wants_json);
            }
        }
        if !route.actions.is_empty() {
            let mut world = now.world.clone();
            for action in &route.actions {
                act(world.change(), action, &names, &self.language)?;
            }
            now.world = world;
        }
        if let (Some(text), Some(session)) = (&route.flash, now.sessions.get_mut(&request.session)) {
            session.flash = Some(self.language.text(text, &names)?);
        }
        if let Some(to) = &route.redirect {
            return Ok(redirect(&self.language.text(to, &names)?));
        }
        // A flash is shown once.
        if let Some(session) = now.sessions.get_mut(&request.session) {
            session.flash = None;
            session.seen.extend(request.query.get("seen").into_iter().flatten().cloned());
        }
        if let Some(expression) = &route.json {
            let value = self.language.eval(expression, &names)?;
            return Ok(page(status(route.status, StatusCode::OK), value.to_string(), "application/json"));
        }
        let template = route.render.as_deref().unwrap_or_default();
        let text = self.language.render(template, &names)?;
        let mut response = page(status(route.status, StatusCode::OK), text, media_type(template));
        if let Some(name) = &route.download {
            let disposition = format!("attachment; filename=\"{}\"", self.language.text(name, &names)?);
            let value = header::HeaderValue::from_str(&disposition).map_err(|e| format!("`{name}`: {e}"))?;
            response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
        }
        Ok(response)
    }

    fn fail(
        &self,
        route: &Route,
        require: &Require,
        mut names: Names,
        wants_json: bool,
    ) -> Result<Response<Body>, String> {
        let (message, status) = (&require.message, status(require.status, StatusCode::UNPROCESSABLE_ENTITY));
        names.insert("error".into(), seen(message));
        let Some(fail) = &route.fail else {
            if wants_json {
                return Ok(refusal(status, message));
            }
            return Ok(page(status, message.clone(), "text/plain; charset=utf-8"));
        };
        for (name, expression) in &fail.with {
            let value = self.language.compile(expression)?.value(&names)?;
            names.insert(name.clone(), value);
        }
        let shown = self.site.file.routes.iter().find(|r| r.get.as_deref() == Some(fail.show.as_str()));
        let Some(shown) = shown else { return Err(format!("`fail.show: {}` is no route", fail.show)) };
        let kept = names.clone();
        self.language.define(&shown.lets, &mut names)?;
        names.extend(
            fail.with.keys().filter_map(|key| kept.get(key).map(|value| (key.clone(), value.clone()))),
        );
        let html = self.language.render(shown.render.as_deref().unwrap_or_default(), &names)?;
        Ok(page(status, html, "text/html; charset=utf-8"))
    }

    /// Where the hosts are that routes name: `origin.admin`.
    fn origins(&self, request: &Request) -> Value {
        let site = self.site.name();
        let port = request.host.rsplit_once(':').map(|(_, port)| format!(":{port}")).unwrap_or_default();
        let hosts = self.site.file.routes.iter().filter_map(|route| route.host.as_ref());
        let origins =
            hosts.map(|host| (host.clone(), json!(format!("http://{host}.{site}.localhost{port}"))));
        origins.collect::<serde_json::Map<_, _>>().into()
    }

    fn names(&self, now: &mut Now, request: &Request, session: &Session) -> Names {
        let first = |map: &BTreeMap<String, Vec<String>>| -> Value {
            map.iter().map(|(k, v)| (k.clone(), json!(v.first()))).collect::<serde_json::Map<_, _>>().into()
        };
        let before = now.lag.as_mut().filter(|_| request.method == "GET").and_then(Lag::read);
        let mut names = before.as_ref().unwrap_or(&now.world).names();
        for (name, list) in &self.site.file.world.lists {
            names.insert(name.clone(), seen(list));
        }
        now.serial += 1;
        names.insert("serial".into(), seen(now.serial));
        names.insert("title".into(), seen(&self.site.file.title));
        names.insert("query".into(), seen(first(&request.query)));
        names.insert("body".into(), seen(&request.body));
        names.insert("origin".into(), seen(self.origins(request)));
        names.insert("form".into(), seen(first(&request.form)));
        names.insert("lists".into(), seen(&request.form));
        names.insert("files".into(), seen(&request.files));
        names.insert("csrf".into(), seen(&session.csrf));
        names.insert("flash".into(), seen(&session.flash));
        names.insert("seen".into(), seen(&session.seen));
        names.insert("signed_in".into(), seen(&session.user));
        names
    }
}

fn status(code: Option<u16>, otherwise: StatusCode) -> StatusCode {
    code.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(otherwise)
}

/// What a JSON API says when it does not do a thing.
fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    page(status, json!({ "error": message }).to_string(), "application/json")
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css",
        Some("html") => "text/html; charset=utf-8",
        Some("csv") => "text/csv; charset=utf-8",
        _ => "text/javascript",
    }
}

fn truthy(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value != "" && *value != json!([])
}

pub(super) fn redirect(to: &str) -> Response<Body> {
    let mut response = page(StatusCode::SEE_OTHER, String::new(), "text/plain");
    if let Ok(value) = header::HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

pub(super) fn page(status: StatusCode, text: String, media_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type));
    response
}
