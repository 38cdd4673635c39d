//! The answer to one request: its route, its requirements, its changes, and the page.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{Response, StatusCode, header},
};
use serde_json::{Value, json};

use super::{
    app::{SiteApp, SiteSession, SiteState},
    faults::{Fault, Lag},
    load::{Require, Route},
    request::{SiteRequest, filled, matches},
    response::{media_type, page, redirect, refusal, status},
    state::{Names, seen},
    world::act,
};

impl SiteApp {
    /// The answer, changed by the faults at its place.
    pub(super) async fn reshaped(&self, place: &str, response: Response<Body>) -> Response<Body> {
        if !Fault::reshapes(&self.state().faults, place) {
            return response;
        }
        let (parts, body) = response.into_parts();
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        // The body was made here and is complete.
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let text = Fault::reshape(&mut self.state().faults, place, &content_type, text);
        Response::from_parts(parts, Body::from(text))
    }

    /// The place of a request (`POST /members/{id}`), its route, and the named parts of its path.
    pub(super) fn route(&self, request: &SiteRequest) -> (String, Option<&Route>, BTreeMap<String, String>) {
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

    pub(super) fn respond(
        &self,
        request: &SiteRequest,
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
        let session = self.state().sessions.get(&request.session).filter(|s| s.user.is_some()).cloned();
        let open = route.is_some_and(|route| !route.require_session);
        let api = request.wants_json;
        let session = match session {
            Some(session) => session,
            None if open => SiteSession::default(),
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
            // The author of the site reads this in the browser.
            page(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("site.yaml: {reason}"),
                "text/plain; charset=utf-8",
            )
        })
    }

    /// Requirements, actions and the answer. The world changes in one step, after everything was evaluated.
    fn carry_out(
        &self,
        request: &SiteRequest,
        route: &Route,
        parameters: BTreeMap<String, String>,
        session: &SiteSession,
    ) -> Result<Response<Body>, String> {
        let mut state = self.state();
        let mut names = self.names(&mut state, request, session);
        names.insert("path".into(), seen(parameters));
        self.language.define(&route.lets, &mut names)?;
        for require in &route.require {
            let holds = self.language.eval(&require.that, &names)?;
            if !truthy(&holds) {
                return self.fail(route, require, names, request.wants_json);
            }
        }
        if !route.actions.is_empty() {
            let mut world = state.world.clone();
            for action in &route.actions {
                act(world.change(), action, &names, &self.language)?;
            }
            let (method, pattern) = route.place();
            match Fault::take_of_write(&mut state.faults, &format!("{method} {pattern}")) {
                Some(fault) => state.write(&fault, world, &request.session),
                None => state.world = world,
            }
        }
        if let (Some(text), Some(session)) = (&route.flash, state.sessions.get_mut(&request.session)) {
            session.flash = Some(self.language.text(text, &names)?);
        }
        if let Some(to) = &route.redirect {
            return Ok(redirect(&self.language.text(to, &names)?));
        }
        // A flash is shown once.
        if let Some(session) = state.sessions.get_mut(&request.session) {
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
        let Some(shown) = shown else { return Err(format!("`fail.show: {}` is not a route", fail.show)) };
        let kept = names.clone();
        self.language.define(&shown.lets, &mut names)?;
        names.extend(
            fail.with.keys().filter_map(|key| kept.get(key).map(|value| (key.clone(), value.clone()))),
        );
        let html = self.language.render(shown.render.as_deref().unwrap_or_default(), &names)?;
        Ok(page(status, html, "text/html; charset=utf-8"))
    }

    /// The origins of the hosts that routes name: `origin.admin`.
    fn origins(&self, request: &SiteRequest) -> Value {
        let site = self.site.name();
        let port = request.host.rsplit_once(':').map(|(_, port)| format!(":{port}")).unwrap_or_default();
        let hosts = self.site.file.routes.iter().filter_map(|route| route.host.as_ref());
        let origins =
            hosts.map(|host| (host.clone(), json!(format!("http://{host}.{site}.localhost{port}"))));
        origins.collect::<serde_json::Map<_, _>>().into()
    }

    fn names(&self, state: &mut SiteState, request: &SiteRequest, session: &SiteSession) -> Names {
        let first = |map: &BTreeMap<String, Vec<String>>| -> Value {
            map.iter().map(|(k, v)| (k.clone(), json!(v.first()))).collect::<serde_json::Map<_, _>>().into()
        };
        if request.opens_page {
            state.page_is_opened();
        }
        let before = state.lag.as_mut().filter(|_| request.method == "GET").and_then(Lag::read);
        let mut names = before.as_ref().unwrap_or(&state.world).names();
        for (name, list) in &self.site.file.world.lists {
            names.insert(name.clone(), seen(list));
        }
        state.serial += 1;
        names.insert("serial".into(), seen(state.serial));
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

fn truthy(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value != "" && *value != json!([])
}
